"""Simulation: whole lessons in one process, on one seeded scheduler, in simulated time. One seed is one history.

The product's own code runs here: the pen's session and its drain (`devices.pen`, `devices.neo`), links, gaps, strokes,
journal, beat, drains and what comes back after a crash (`gateway`), results, outbox, publisher, receiver and the
district's SQLite store. What stands in for the world:

| here | for |
|---|---|
| `loop` | the clock and the threads: waiting takes no time, an executor runs inline |
| `air`, `pens` | radio and children; the pens answer with `devices.virtual`'s dialogue, memory and speech |
| `drive` | the disk: SQLite in memory, and what of it is durable |
| `broker` | an MQTT broker that drops, doubles, reorders, delays and dies |
| `gateway`, `desk`, `district` | a process each: the product's parts as its own composition puts them together |
| `weather`, `world`, `lesson` | what befalls them, what they come back to, and the end that must be quiet |
| `truth`, `stored`, `promises` | every dot's whereabouts, what the store says, and what must hold after every step |
| `house`, `protections` | the product's parts by name, and those parts with a protection taken away |

Not simulated, because it is a thread, a socket or a real disk: `gateway.store.Store` (its transactions and its schema
are used, its writer's thread is a queue here), `devices.radios`, `sync.mqtt`, the reader's process and the pages.

Known limits: dots that a pen begins to write in the moment of a clean hang-up (`unheard`, counted); homework that a
restored box had and its pen has forgotten; a stroke whose page event was lost stands on the page before, and the gap
that tells of it lies at its beginning alone.

Start with `python -m tests.simulate --seed 1 --events` and read.
"""

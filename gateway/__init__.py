"""The gateway: composes devices, recognition and sync into one service. Nothing imports it but its own tests.

Its modules by what they are about; the layers in pyproject.toml say who may import whom.

- the whole: app, beat, box, service, views, control, supervisor, watchdog
- pens and links: linking, links, pens, seats, card, captures
- ink: strokes, journal
- ink that is not here: gaps, alive, comeback, drain, healing
- lessons: roster, lesson, work, late, answers, reading, results, failed, keys, rekeying
- what teachers decide: decisions, decisions_desk, labels
- the store: store, schema, keeping, aside, salvage, joining, joining_results, backup, inspection
- the record of grades: audit, audit_ink, audit_verify, audit_replay, audit_models, audit_erasure
- the machine: settings, clock, machine, identity, disk, guard, doctor, offline, errors
- the district: uplink
- people: screen, dashboard, words, figures, cli
- proofs: demo, bench
"""

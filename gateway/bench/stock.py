"""The floor of `bench live`: a bare subscription by stock bumble, its own host and parser, a callback that only counts.

It links every pen that it hears over the same sockets, says to each what a pen must hear before ink flows, and then
does nothing but count. The figure is processor time a notification.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from bumble import core, hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.transport import open_transport

from devices.events import Ready
from devices.families import NEO, Advertisement, PenSession

_QUIET_S: Final = 1.5
"""When nothing new was heard for so long, all pens were heard."""
_CONNECT_S: Final = 10.0
_STEP_S: Final = 0.5
_HANDSHAKE_S: Final = 30.0
_SETTLE_S: Final = 1.0
_MTU: Final = 247


@dataclass(frozen=True, slots=True)
class StockFigures:
    """What was counted."""

    notifications: int
    cpu_s: float
    """Processor time of this process while they came."""
    wall_s: float
    pens: int
    """How many pens were subscribed."""


class _Counter:
    """How many notifications came."""

    def __init__(self) -> None:
        self.notifications = 0

    def count(self, _value: bytes) -> None:
        self.notifications += 1


async def stock_subscription(specs: list[str], seconds: float) -> StockFigures:
    """Subscribe to every pen heard on these HCI transports and count for so long.

    Raises:
        OSError: A transport cannot be opened.
        TimeoutError: A pen did not finish its handshake.
    """
    counter = _Counter()
    waiting: dict[str, hci.Address] = {}
    heard_s = [time.monotonic()]
    taken: set[str] = set()

    def heard(advertisement: Any) -> None:  # noqa: ANN401  bumble carries no types
        address = advertisement.address.to_string(False)
        if address not in taken and address not in waiting and _is_pen(advertisement):
            waiting[address] = advertisement.address
            heard_s[0] = time.monotonic()

    transports = [await open_transport(spec) for spec in specs]
    try:
        devices = [await _device(transport) for transport in transports]
        for device in devices:
            device.on("advertisement", heard)
            await device.start_scanning(active=False, filter_duplicates=False)
        while time.monotonic() - heard_s[0] < _QUIET_S:  # noqa: ASYNC110  silence has no event
            await asyncio.sleep(0.05)
        linked = await asyncio.gather(*(_fill(device, waiting, taken, counter) for device in devices))
        for device in devices:
            await device.stop_scanning()
        await asyncio.sleep(_SETTLE_S)
        before, cpu_s, wall_s = counter.notifications, time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        return StockFigures(counter.notifications - before, cpu_s, wall_s, sum(linked))
    finally:
        for transport in transports:
            await transport.close()


def _is_pen(advertisement: Any) -> bool:  # noqa: ANN401  bumble carries no types
    maker: dict[int, bytes] = {}
    for kind, raw in advertisement.data.ad_structures:
        if kind == core.AdvertisingData.MANUFACTURER_SPECIFIC_DATA:
            maker[int.from_bytes(raw[:2], "little")] = bytes(raw[2:])
    return NEO.mac_of(Advertisement(manufacturer=maker)) is not None


async def _device(transport: Any) -> Device:  # noqa: ANN401  bumble carries no types
    host = Host(transport.source, transport.sink)
    device = Device(config=DeviceConfiguration(name="stock", gap_service_enabled=False), host=host)
    device.keystore = MemoryKeyStore()
    await device.power_on()
    return device


async def _fill(device: Device, waiting: dict[str, hci.Address], taken: set[str], counter: _Counter) -> int:
    """Link pens until none is left or the adapter is full; how many."""
    linked = 0
    while waiting:
        text, address = waiting.popitem()
        taken.add(text)
        try:
            connection = await device.connect(address, own_address_type=hci.OwnAddressType.PUBLIC, timeout=_CONNECT_S)
        except (core.BaseBumbleError, hci.HCI_Error):
            waiting[text] = address
            return linked
        subscribing = asyncio.create_task(_subscribe(connection, counter))
        await asyncio.wait({subscribing})
        if subscribing.cancelled():  # bumble's way to say that the link went: the pen is tried again
            waiting[text] = address
            continue
        subscribing.result()
        linked += 1
    return linked


async def _subscribe(connection: Any, counter: _Counter) -> None:  # noqa: ANN401  bumble carries no types
    gatt = connection.gatt_client
    await gatt.request_mtu(_MTU)
    services = {str(service.uuid.to_hex_str("-")).lower(): service for service in await gatt.discover_services()}
    paths = next(paths for paths in NEO.gatt if paths.service in services)
    found = await gatt.discover_characteristics([], services[paths.service])
    by_uuid = {str(c.uuid.to_hex_str("-")).lower(): c for c in found}
    notify, write = by_uuid[paths.notify], by_uuid[paths.write]
    values: asyncio.Queue[bytes] = asyncio.Queue()
    await notify.subscribe(values.put_nowait)
    await _shake_hands(gatt, write, values)
    await notify.subscribe(counter.count)
    await notify.unsubscribe(values.put_nowait)


async def _shake_hands(gatt: Any, write: Any, values: "asyncio.Queue[bytes]") -> None:  # noqa: ANN401  bumble's
    """What a pen must hear before its ink flows."""
    session: PenSession = NEO.session()
    session.start(now_ms=_now_ms())
    async with asyncio.timeout(_HANDSHAKE_S):
        while True:
            if data := session.data_to_send():
                await gatt.write_value(write.handle, data, with_response=True)
            events = list(session.tick(now_ms=_now_ms()))
            try:
                async with asyncio.timeout(_STEP_S):
                    events += session.receive(await values.get(), now_ms=_now_ms())
            except TimeoutError:
                continue
            if any(isinstance(event, Ready) for event in events):
                if data := session.data_to_send():
                    await gatt.write_value(write.handle, data, with_response=True)
                return


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    """`python -m gateway.bench.stock --seconds 10 unix:…`: one JSON object on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    figures = asyncio.run(stock_subscription(options.specs, options.seconds))
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()

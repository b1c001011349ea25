import asyncio
from pathlib import Path

import pytest
from bumble import hci

from devices.virtual.air import Air
from devices.virtual.dongle import Dongle
from devices.virtual.port import HostPort
from tests.devices.virtual.central import until
from tests.devices.virtual.test_air import PEN, advertising_pen, connect

COMMAND = bytes(hci.HCI_Read_BD_ADDR_Command())
ANSWER_BYTES = 13


@pytest.fixture
async def dongle() -> Dongle:
    return Dongle("hci0", Air(), public_address="00:1B:DC:00:00:00")


async def open_host(dongle: Dongle, folder: Path) -> tuple[asyncio.Server, asyncio.StreamReader, asyncio.StreamWriter]:
    path = folder / "hci0"
    server = await asyncio.get_running_loop().create_unix_server(lambda: HostPort(dongle), path)
    reader, writer = await asyncio.open_unix_connection(path)
    return server, reader, writer


async def end(server: asyncio.Server, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("size", [1, 3, 4, 5, 11])
async def test_packets_survive_any_cut_of_the_stream(dongle: Dongle, folder: Path, size: int) -> None:
    server, reader, writer = await open_host(dongle, folder)
    stream = COMMAND * 3
    for at in range(0, len(stream), size):
        writer.write(stream[at : at + size])
        await writer.drain()
    async with asyncio.timeout(5):
        answers = await reader.readexactly(3 * ANSWER_BYTES)
    assert answers[:7] == bytes.fromhex("040e0a01091000")
    await end(server, writer)


async def test_a_host_out_of_step_is_thrown_off(dongle: Dongle, folder: Path) -> None:
    server, reader, writer = await open_host(dongle, folder)
    writer.write(b"\x09\x00\x00\x00\x00")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    await until(lambda: dongle.port is None)
    await end(server, writer)


async def test_half_a_packet_of_a_dead_host_never_meets_the_next(dongle: Dongle, folder: Path) -> None:
    server, _, writer = await open_host(dongle, folder)
    writer.write(COMMAND[:3])
    writer.close()
    await writer.wait_closed()
    await until(lambda: dongle.port is None)
    reader, second = await asyncio.open_unix_connection(folder / "hci0")
    second.write(COMMAND)
    async with asyncio.timeout(5):
        assert (await reader.readexactly(ANSWER_BYTES))[0] == 4
    await end(server, second)


async def test_a_host_that_reads_nothing_stops_the_dongle_acknowledging_until_it_reads(
    dongle: Dongle, folder: Path
) -> None:
    server, reader, writer = await open_host(dongle, folder)
    await until(lambda: dongle.port is not None)
    connect(dongle)
    pen = advertising_pen(dongle.link)
    await until(lambda: dongle.le_connections)
    pen.le_legacy_advertiser.stop()
    lost: list[tuple[int, int]] = []
    beam = dongle.beam(PEN, 7, unread=lambda events, dots: lost.append((events, dots)))
    assert beam is not None
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it, its type does not say
    sent = 0
    while beam.acknowledges:
        beam.send(bytes(200), events=1, dots=1)
        sent += 1
        if not sent % 50:
            await asyncio.sleep(0)
    assert dongle.congested
    assert lost == []
    writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
    received = 0
    while received < sent * 200:
        async with asyncio.timeout(5):
            received += len(await reader.read(1 << 16))
    await until(lambda: beam.acknowledges and not beam.events)
    await end(server, writer)
    await until(lambda: dongle.port is None)
    assert sum(events for events, _ in lost) == 0


async def test_what_a_dead_host_had_not_read_is_told(dongle: Dongle, folder: Path) -> None:
    server, _, writer = await open_host(dongle, folder)
    await until(lambda: dongle.port is not None)
    connect(dongle)
    pen = advertising_pen(dongle.link)
    await until(lambda: dongle.le_connections)
    pen.le_legacy_advertiser.stop()
    lost: list[tuple[int, int]] = []
    beam = dongle.beam(PEN, 7, unread=lambda events, dots: lost.append((events, dots)))
    assert beam is not None
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it, its type does not say
    await asyncio.sleep(0)
    for _ in range(5):
        beam.send(b"ink", events=1, dots=1)
    writer.transport.abort()
    await until(lambda: dongle.port is None)
    assert lost == [(5, 5)]
    server.close()
    await server.wait_closed()

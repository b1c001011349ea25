import asyncio

import pytest
from bumble import hci

from devices.virtual.air import Air
from tests.devices.virtual.central import KeptPort, until
from tests.devices.virtual.test_air import PEN, advertising_pen, connect, dongle_with_host, linked, told


async def test_a_full_dongle_refuses_with_limit_reached() -> None:
    dongle, port = dongle_with_host(Air(), places=0)
    connect(dongle)
    assert port.of(hci.HCI_Command_Status_Event)[-1].status == 0x09


async def test_a_second_link_to_the_same_pen_is_refused() -> None:
    _, dongle, port = await linked(Air())
    connect(dongle)
    assert port.of(hci.HCI_Command_Status_Event)[-1].status == 0x0B


async def test_the_newest_host_wins() -> None:
    dongle, older = dongle_with_host(Air())
    newer = KeptPort()
    dongle.attach(newer)
    assert older.aborted
    dongle.on_hci_packet(hci.HCI_Read_BD_ADDR_Command())
    assert newer.packets
    assert not older.packets


@pytest.mark.slow
async def test_links_of_a_dead_host_end_by_silence() -> None:
    pen, dongle, port = await linked(Air())
    packets = told(pen)
    dongle.detach(port)
    assert not dongle.acknowledges
    assert dongle.le_connections
    await until(lambda: packets)
    assert packets[-1].reason == 0x08
    assert not dongle.le_connections


async def test_an_active_scan_brings_the_scan_response_too() -> None:
    air = Air()
    pen = advertising_pen(air)
    pen.le_legacy_advertiser.scan_response_data = b"\x03\x09pe"
    dongle, port = dongle_with_host(air)
    dongle.le_scan_type = 1
    dongle.on_hci_packet(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
    await until(lambda: len(port.of(hci.HCI_LE_Advertising_Report_Event)) >= 2)
    pen.le_legacy_advertiser.stop()
    reports = [packet.reports[0] for packet in port.of(hci.HCI_LE_Advertising_Report_Event)]
    assert [report.data for report in reports[:2]] == [b"", b"\x03\x09pe"]


async def test_who_is_out_of_range_is_not_heard() -> None:
    air = Air()
    pen = advertising_pen(air)
    pen.in_range = False
    dongle, port = dongle_with_host(air)
    dongle.on_hci_packet(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
    for _ in range(5):
        pen.le_legacy_advertiser.send_advertising_data()
        await asyncio.sleep(0)
    assert not port.of(hci.HCI_LE_Advertising_Report_Event)
    pen.in_range = True
    await until(lambda: port.of(hci.HCI_LE_Advertising_Report_Event))
    pen.le_legacy_advertiser.stop()


async def test_a_beam_dies_with_its_link_although_the_handle_is_used_again() -> None:
    air = Air()
    _, dongle, port = await linked(air)
    beam = dongle.beam(PEN, 7, unread=lambda _events, _dots: None)
    assert beam is not None
    assert beam.acknowledges
    beam.send(b"dot", events=1, dots=1)
    assert len(port.notifications) == 1
    air.part(dongle)
    assert beam.is_cut
    assert dongle.beam(PEN, 7, unread=lambda _events, _dots: None) is None

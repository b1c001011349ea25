"""One test a trap of bumble's virtual controller (ble-split 4, 1 to 8)."""

import asyncio
from typing import Any

import pytest
from bumble import hci, ll

from devices.virtual.air import Air
from devices.virtual.dongle import Dongle
from devices.virtual.radio import Radio
from tests.devices.virtual.central import KeptPort, until

PEN = hci.Address("C1:7B:D2:50:00:01", hci.Address.RANDOM_DEVICE_ADDRESS)


def told(radio: Radio) -> list[Any]:
    """What a pen's controller says to its own host."""
    packets: list[Any] = []

    class Host:
        def on_packet(self, packet: bytes) -> None:
            packets.append(hci.HCI_Packet.from_bytes(packet))

    radio.set_packet_sink(Host())
    return packets


def advertising_pen(air: Air, *, interval_ms: float = 20) -> Radio:
    pen = Radio("pen", air)
    pen.on_hci_packet(hci.HCI_LE_Set_Random_Address_Command(random_address=PEN))
    pen.on_hci_packet(
        hci.HCI_LE_Set_Advertising_Parameters_Command(
            advertising_interval_min=int(interval_ms / 0.625),
            advertising_interval_max=int(interval_ms / 0.625),
            advertising_type=0,
            own_address_type=1,
            peer_address_type=0,
            peer_address=hci.Address.ANY,
            advertising_channel_map=7,
            advertising_filter_policy=0,
        )
    )
    pen.on_hci_packet(hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1))
    return pen


def dongle_with_host(air: Air, *, number: int = 0, places: int = 12) -> tuple[Dongle, KeptPort]:
    dongle = Dongle(f"hci{number}", air, public_address=f"00:1B:DC:00:00:{number:02X}", places=places)
    port = KeptPort()
    dongle.attach(port)
    return dongle, port


def connect(dongle: Dongle, peer: hci.Address = PEN) -> None:
    dongle.on_hci_packet(
        hci.HCI_LE_Create_Connection_Command(
            le_scan_interval=96,
            le_scan_window=96,
            initiator_filter_policy=0,
            peer_address_type=1,
            peer_address=peer,
            own_address_type=0,
            connection_interval_min=12,
            connection_interval_max=12,
            max_latency=0,
            supervision_timeout=42,
            min_ce_length=0,
            max_ce_length=0,
        )
    )


@pytest.fixture
def air() -> Air:
    return Air()


async def linked(air: Air) -> tuple[Radio, Dongle, KeptPort]:
    pen = advertising_pen(air)
    dongle, port = dongle_with_host(air)
    connect(dongle)
    await until(lambda: port.of(hci.HCI_LE_Connection_Complete_Event))
    pen.le_legacy_advertiser.stop()
    return pen, dongle, port


async def test_an_advert_reaches_only_those_who_listen(air: Air) -> None:
    """Trap 1: bumble hands each advert to all controllers."""
    listening, ears = dongle_with_host(air, number=0)
    _, deaf = dongle_with_host(air, number=1)
    listening.on_hci_packet(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
    pen = advertising_pen(air)
    await until(lambda: ears.of(hci.HCI_LE_Advertising_Report_Event))
    pen.le_legacy_advertiser.stop()
    assert deaf.packets == []
    assert air.find_le_controller(PEN) is pen


async def test_a_control_packet_to_a_peer_that_is_gone_is_lost(air: Air) -> None:
    """Trap 2: bumble raises."""
    pen, dongle, _ = await linked(air)
    air.leave(pen)
    here = next(iter(dongle.le_connections.values()))
    here.send_ll_control_pdu(ll.TerminateInd(0x13))


async def test_no_text_is_built_of_a_packet_that_is_not_logged(air: Air) -> None:
    """Trap 3: a third of bumble's cost is debug text for a log that is off."""

    class Unspeakable(hci.HCI_Read_BD_ADDR_Command):  # type: ignore[misc]  # bumble is seen as Any
        def __str__(self) -> str:
            raise AssertionError("text was built")

    dongle, port = dongle_with_host(air)
    dongle.on_hci_packet(Unspeakable())
    assert port.of(hci.HCI_Command_Complete_Event)


async def test_a_reset_ends_the_links_of_the_host_before(air: Air) -> None:
    """Trap 4: bumble's reset resets nothing, and a new host meets old links."""
    pen, dongle, port = await linked(air)
    packets = told(pen)
    dongle.on_hci_packet(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
    dongle.on_hci_packet(hci.HCI_Reset_Command())
    await until(lambda: packets)
    assert not dongle.le_connections
    assert not dongle.listening
    assert not pen.le_connections
    assert packets[-1].reason == 0x08
    assert not port.of(hci.HCI_Disconnection_Complete_Event)


async def test_a_connect_that_is_cancelled_leaves_the_dongle_able_to_connect(air: Air) -> None:
    """Trap 5: bumble's cancel does nothing, and no connect works ever after."""
    dongle, port = dongle_with_host(air)
    connect(dongle)
    dongle.on_hci_packet(hci.HCI_LE_Create_Connection_Cancel_Command())
    await until(lambda: port.of(hci.HCI_LE_Connection_Complete_Event))
    assert port.of(hci.HCI_LE_Connection_Complete_Event)[0].status == 0x02
    pen = advertising_pen(air)
    connect(dongle)
    await until(lambda: len(port.of(hci.HCI_LE_Connection_Complete_Event)) == 2)
    assert port.of(hci.HCI_LE_Connection_Complete_Event)[1].status == 0
    pen.le_legacy_advertiser.stop()
    dongle.on_hci_packet(hci.HCI_LE_Create_Connection_Cancel_Command())
    assert port.of(hci.HCI_Command_Complete_Event)[-1].return_parameters.status == 0x0C


async def test_who_hangs_up_is_told_that_it_did(air: Air) -> None:
    """Trap 6: bumble echoes the reason to the side that gave it."""
    pen, dongle, port = await linked(air)
    packets = told(pen)
    handle = next(iter(dongle.le_connections.values())).handle
    dongle.on_hci_packet(hci.HCI_Disconnect_Command(connection_handle=handle, reason=0x13))
    await until(lambda: packets and port.of(hci.HCI_Disconnection_Complete_Event))
    assert port.of(hci.HCI_Disconnection_Complete_Event)[0].reason == 0x16
    assert packets[-1].reason == 0x13


async def test_a_handle_that_is_not_known_is_refused(air: Air) -> None:
    """Trap 6, second half: bumble accepts it and then says nothing."""
    dongle, port = dongle_with_host(air)
    dongle.on_hci_packet(hci.HCI_Disconnect_Command(connection_handle=77, reason=0x13))
    assert port.of(hci.HCI_Command_Status_Event)[0].status == 0x02


async def test_the_controller_announces_what_it_does(air: Air) -> None:
    """Trap 7: an interval in units of 0.625 ms, 251 bytes, and no feature that is not there."""
    pen = advertising_pen(air, interval_ms=20)
    pen.le_legacy_advertiser.stop()
    assert pen.le_legacy_advertiser.advertising_interval_min == pytest.approx(20)
    assert pen.le_acl_data_packet_length == 251
    assert not pen.le_features & hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    assert not pen.le_features & hci.LeFeatureMask.LL_PRIVACY


async def test_two_dongles_that_want_one_pen_get_one_link(air: Air) -> None:
    """Trap 8: bumble delivers the connect a turn later, and one of two links is open on one side only."""
    first, first_port = dongle_with_host(air, number=0)
    second, second_port = dongle_with_host(air, number=1)
    connect(first)
    connect(second)
    pen = advertising_pen(air)
    both = (first_port, second_port)
    await until(lambda: any(port.of(hci.HCI_LE_Connection_Complete_Event) for port in both))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(pen.le_connections) == 1
    assert len(first.le_connections) + len(second.le_connections) == 1
    assert first.pending_le_connection is not None or second.pending_le_connection is not None

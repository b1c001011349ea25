"""How a virtual pen shows itself: its advert, its GATT service, and how it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from bumble import data_types, hci
from bumble.core import AdvertisingData
from bumble.device import DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service

from devices.virtual.air import DEFAULT_SUPERVISION_S
from devices.virtual.memory import DEFAULT_CAPACITY_DOTS

_STATIC_RANDOM: Final = 0xC0
_SERIAL_BITS: Final = 0x3F


@dataclass(frozen=True, slots=True)
class GattProfile:
    """Where a pen family lets itself be written to and listened to (neo-protocol 1.1)."""

    service: str
    write: str
    notify: str
    advertised: bytes
    """The service's advertising structure; empty where the pen does not advertise it."""


PROFILES: Final = {
    "V5": GattProfile(
        "4f99f138-9d53-5bfa-9e50-b147491afe68",
        "8bc8cc7d-88ca-56b0-af9a-9bf514d0d61a",
        "64cd86b1-2256-5aeb-9f04-2caf6c60ae57",
        b"",  # the F130 does not
    ),
    "V2": GattProfile(
        "000019F1-0000-1000-8000-00805F9B34FB",
        "00002BA0-0000-1000-8000-00805F9B34FB",
        "00002BA1-0000-1000-8000-00805F9B34FB",
        bytes.fromhex("0303f119"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PenOptions:
    """How a virtual pen is made."""

    profile: Literal["V5", "V2"] = "V5"
    protocol: str = "2.18"
    password: str | None = None
    battery_percent: int = 90
    clock_ms: int = 0
    """What its clock says at the start; 0 means never set."""
    capacity_dots: int = DEFAULT_CAPACITY_DOTS
    events_ms: float = 15.0
    """Connection interval; 0 sends each event at once."""
    advertising_ms: float = 100.0
    supervision_s: float = DEFAULT_SUPERVISION_S
    retransmit: float = 0.0
    """Share of its packets that the air delays by whole connection events."""
    drop_at_host: float = 0.0
    """Share of its notifications that the host never sees."""
    seed: int = 0
    """Of what the air does to it."""


def configuration(mac: bytes, name: str, options: PenOptions, *, boots: int) -> Any:  # noqa: ANN401  # bumble's
    """What bumble's Device is made of: a random address of this boot, and an advert with the MAC and no company id."""
    address = bytes((_STATIC_RANDOM | boots & _SERIAL_BITS,)) + mac[1:]
    text = ":".join(f"{byte:02X}" for byte in address)
    config = DeviceConfiguration(name=name, address=hci.Address(text, hci.Address.RANDOM_DEVICE_ADDRESS))
    config.advertising_interval_min = config.advertising_interval_max = options.advertising_ms
    structures = AdvertisingData(
        [
            data_types.Flags(AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE),
            data_types.ManufacturerSpecificData(int.from_bytes(mac[:2], "little"), mac[2:]),
            data_types.CompleteLocalName(name),
        ]
    )
    config.advertising_data = PROFILES[options.profile].advertised + bytes(structures)
    return config


def ink_service(
    profile: GattProfile, on_write: Callable[[Any, bytes], None], on_subscription: Callable[[Any, bool, bool], None]
) -> tuple[Any, Any]:
    """The service of a pen, and its characteristic of ink in it."""
    ink = Characteristic(profile.notify, Characteristic.Properties.NOTIFY, Characteristic.READABLE, b"")
    ink.on("subscription", on_subscription)
    command = Characteristic(
        profile.write,
        Characteristic.Properties.WRITE,
        Characteristic.WRITEABLE,
        CharacteristicValue(write=on_write),
    )
    return Service(profile.service, [command, ink]), ink

from pathlib import Path

import pytest

from devices.families import NEO, Advertisement, family_of, known_families
from devices.neo.session import NeoSession

MAC_DATA = {0x7B9C: bytes.fromhex("d251f41f")}
MAC = "9C:7B:D2:51:F4:1F"


@pytest.mark.parametrize(
    "heard",
    [
        Advertisement(manufacturer=MAC_DATA),
        Advertisement(manufacturer={0x7B9C: bytes.fromhex("d251f41f0001000203")}),
        Advertisement(name="Neosmartpen_M1+"),
        Advertisement(name="LAMY_safari"),
        Advertisement(name="Smart Pen"),
        Advertisement(name="NWP-F80"),
        Advertisement(services=("19F1",)),
        Advertisement(services=("000019f0-0000-1000-8000-00805f9b34fb",)),
        Advertisement(services=("4F99F138-9D53-5BFA-9E50-B147491AFE68",)),
        Advertisement(name="renamed by a pupil", manufacturer=MAC_DATA),
    ],
    ids=str,
)
def test_a_neo_pen_is_known_by_its_mac_its_name_or_its_service(heard: Advertisement) -> None:
    assert family_of(heard) is NEO


@pytest.mark.parametrize(
    "heard",
    [
        Advertisement(),
        Advertisement(name="Smart Pencil"),
        Advertisement(name="NWP-F110", manufacturer=MAC_DATA),
        Advertisement(manufacturer={0x004C: bytes.fromhex("02150102")}),
        Advertisement(manufacturer={0x7B9C: bytes.fromhex("d251")}),
        Advertisement(manufacturer={0x7B9C: bytes.fromhex("a251f41f")}),
        Advertisement(services=("180a", "000018f1-0000-1000-8000-00805f9b34fb")),
    ],
    ids=str,
)
def test_other_devices_are_left_alone(heard: Advertisement) -> None:
    assert family_of(heard) is None


def test_the_mac_is_the_company_id_that_is_none_and_the_bytes_after_it() -> None:
    assert NEO.mac_of(Advertisement(manufacturer=MAC_DATA)) == MAC
    assert NEO.mac_of(Advertisement(name="Neosmartpen_M1")) is None


def test_the_paths_are_those_of_the_two_services() -> None:
    first, second = NEO.gatt
    assert first.service == "000019f1-0000-1000-8000-00805f9b34fb"
    assert (first.write[4:8], first.notify[4:8]) == ("2ba0", "2ba1")
    assert (second.service[:8], second.write[:8], second.notify[:8]) == ("4f99f138", "8bc8cc7d", "64cd86b1")


def test_each_link_gets_a_session_of_its_own() -> None:
    assert isinstance(NEO.session(password="1234"), NeoSession)  # noqa: S106  a made-up one
    assert NEO.session() is not NEO.session()


def test_a_plug_in_is_asked_after_the_built_in_family_and_one_that_does_not_load_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other_pens.py").write_text(
        "class Other:\n    name = 'Other'\n    def recognises(self, heard):\n        return heard.name == 'Other'\n"
        "FAMILY = Other()\n"
    )
    info = tmp_path / "other_pens-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-pens\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[inkgate.pens]\nbroken = no_such_module:FAMILY\nother = other_pens:FAMILY\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    known_families.cache_clear()
    try:
        found = family_of(Advertisement(name="Other"))
        assert found is not None
        assert found.name == "Other"
        assert family_of(Advertisement(name="Smart Pen")) is NEO
        assert "broken" in caplog.text
    finally:
        known_families.cache_clear()

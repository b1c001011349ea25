"""Serial ports by names that stay."""

from pathlib import Path

from devices.serial_port import SerialPort, serial_ports, stable_names


def test_a_port_is_known_by_its_id_whatever_number_it_has(tmp_path: Path) -> None:
    (tmp_path / "ttyACM1").touch()
    ids = tmp_path / "by-id"
    ids.mkdir()
    (ids / "usb-Nordic_HCI_A1-if00").symlink_to(tmp_path / "ttyACM1")
    assert stable_names(ids) == {str(tmp_path / "ttyACM1"): str(ids / "usb-Nordic_HCI_A1-if00")}


def test_a_system_without_such_names_gives_none(tmp_path: Path) -> None:
    assert stable_names(tmp_path / "none") == {}


def test_a_port_tells_its_setting() -> None:
    port = SerialPort("/dev/serial/by-id/x", "/dev/ttyACM0", "Nordic", "HCI", "A1", may_be_radio=True)
    assert port.spec == "serial:/dev/serial/by-id/x,1000000"


def test_only_ports_on_usb_are_listed(tmp_path: Path) -> None:
    assert all(port.path.startswith("/dev/") for port in serial_ports(by_id=tmp_path))

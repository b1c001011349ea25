"""What tells one machine from another, read out of small file systems."""

from pathlib import Path

from gateway.machine import Marks, marks


def machine(
    root: Path, *, ports: dict[str, str], system: str = "", serial: str = "", usb: tuple[str, ...] = ()
) -> Path:
    """A machine's files: network ports with their addresses, the system's id, the board's serial number."""
    for name, address in ports.items():
        device = root / "sys/devices" / ("usb1" if name in usb else "pci0000:00") / name
        device.mkdir(parents=True)
        port = root / "sys/class/net" / name
        port.mkdir(parents=True)
        (port / "address").write_text(address + "\n", encoding="utf-8")
        (port / "device").symlink_to(device)
    if system:
        (root / "etc").mkdir(parents=True)
        (root / "etc/machine-id").write_text(system + "\n", encoding="utf-8")
    if serial:
        (root / "proc/device-tree").mkdir(parents=True)
        (root / "proc/device-tree/serial-number").write_bytes(serial.encode() + b"\0")
    return root


def test_a_copied_disk_has_the_systems_id_but_not_the_hardware(tmp_path: Path) -> None:
    one = marks("s", machine(tmp_path / "1", ports={"eth0": "02:00:00:00:00:01"}, system="same"))
    two = marks("s", machine(tmp_path / "2", ports={"eth0": "02:00:00:00:00:02"}, system="same"))
    assert one.system == two.system
    assert not one.same_machine(two)
    assert not two.same_machine(one)


def test_a_machine_with_one_part_replaced_is_the_same(tmp_path: Path) -> None:
    before = marks("s", machine(tmp_path / "1", ports={"eth0": "02:00:00:00:00:01"}, serial="100000abc"))
    after = marks("s", machine(tmp_path / "2", ports={"eth0": "02:00:00:00:00:09"}, serial="100000abc"))
    assert before.same_machine(after)


def test_a_port_on_usb_and_one_without_hardware_tell_nothing(tmp_path: Path) -> None:
    root = machine(tmp_path, ports={"eth1": "02:00:00:00:00:01", "eth2": "00:00:00:00:00:00"}, usb=("eth1",))
    (root / "sys/class/net/lo").mkdir()
    (root / "sys/class/net/lo/address").write_text("02:00:00:00:00:03", encoding="utf-8")
    assert marks("s", root) == Marks(frozenset(), "")


def test_without_hardware_the_systems_id_decides_and_without_both_nothing_is_claimed(tmp_path: Path) -> None:
    one = marks("s", machine(tmp_path / "1", ports={}, system="a"))
    two = marks("s", machine(tmp_path / "2", ports={}, system="b"))
    none = marks("s", tmp_path / "nothing")
    assert not one.same_machine(two)
    assert one.same_machine(none)
    assert none.same_machine(two)


def test_nothing_of_the_machine_can_be_read_out_of_its_marks(tmp_path: Path) -> None:
    root = machine(tmp_path, ports={"eth0": "02:00:00:00:00:01"}, system="system", serial="serial")
    found = marks("salt", root)
    assert len(found.hardware) == 2
    assert found.hardware.isdisjoint(marks("another salt", root).hardware)
    assert not any(word in repr(found) for word in ("02:00", "system-", "serial"))

"""The file that says how far the box had come."""

from pathlib import Path

import pytest

from gateway.alive import Alive, Seen


def test_what_one_box_noted_the_next_one_reads(tmp_path: Path) -> None:
    path = tmp_path / "gateway.alive"
    first = Alive(path)
    assert first.before is None
    first.note(Seen(123_456, 1_790_000_000_000, 1_789_999_999_000))
    first.note(Seen(7, 1_790_000_000_033, 0))
    second = Alive(path)  # the first was killed: it never closed
    assert second.before == Seen(7, 1_790_000_000_033, 0)
    first.close()
    second.close()


@pytest.mark.parametrize("content", [b"", b"1 2", b"\xff\xfe\x00", b"a b c\n", b"1 2 3 4\n"])
def test_a_file_that_is_hurt_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gateway.alive"
    path.write_bytes(content)
    alive = Alive(path)
    assert alive.before is None
    alive.close()

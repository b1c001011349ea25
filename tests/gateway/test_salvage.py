"""Whatever page is lost, the rest is read; the damaged file is the same afterwards."""

from contextlib import closing
from pathlib import Path

import pytest

from gateway.salvage import Wreck
from tests.gateway.stores import HURTS, PAGE_BYTES, filled, hurt, ink_of, one, zero_page


def test_a_whole_store_is_read_whole(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(Wreck(path)) as wreck:
        ink = wreck.table("ink")
        assert (len(ink.rows), ink.unreadable) == (50, 0)
        assert wreck.table("journal").unreadable == wreck.table("pupil").unreadable == 0
        assert wreck.table("nonesuch").unreadable


@pytest.mark.parametrize("how", HURTS)
def test_reading_changes_nothing_of_the_file(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    content = hurt(path, how)
    with closing(Wreck(path)) as wreck:
        for name in wreck.names:
            wreck.table(name)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.glob("*.db-*")] in ([], ["gateway.db-wal"], ["gateway.db-shm", "gateway.db-wal"])


def test_a_lost_page_of_ink_loses_its_own_pieces_alone(tmp_path: Path) -> None:
    path = filled(tmp_path, strokes=2_000)
    whole = ink_of(path)
    pages = path.stat().st_size // PAGE_BYTES
    lost_somewhere = 0
    content = path.read_bytes()
    for page in range(2, pages + 1, 7):
        zero_page(path, page)
        with closing(Wreck(path)) as wreck:
            ink = wreck.table("ink")
        read = {tuple(row[name] for name in ("pen", "down_ms", "piece", "dots", "sum")) for row in ink.rows}
        assert read <= whole
        assert (read == whole) == (ink.unreadable == 0)
        lost = len(whole) - len(read)
        if page != one_root(path, content):
            assert lost < 100, f"page {page}"
        lost_somewhere += bool(lost)
        path.write_bytes(content)
    assert lost_somewhere


def one_root(path: Path, content: bytes) -> object:
    now = path.read_bytes()
    path.write_bytes(content)
    root = one(path, "select rootpage from sqlite_master where name = 'ink'")
    path.write_bytes(now)
    return root

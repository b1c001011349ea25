"""The search for canaries finds one in every kind of place and form, and lets the two places be where they belong."""

import json
import sqlite3
import struct
from collections import defaultdict
from pathlib import Path

import pytest

from sync.messages import pack
from tests.chaos.canaries import Hit, Search, search_file, search_run
from tests.chaos.planting import planted
from tests.chaos.watching import PUBLISHED

NAMES = ["样甲乙", "样丙丁", "L9000000001", "L9000000002"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What a run leaves, as small as can be: a roster, a store with its pupils, a log, traffic, air."""
    demo, own = tmp_path / "run" / "demo", tmp_path / "run" / "chaos"
    (demo / "logs").mkdir(parents=True)
    own.mkdir()
    (demo / "roster.csv").write_text("座号,姓名,学籍号\n1,样甲乙,L9000000001\n2,样丙丁,L9000000002\n", encoding="utf-8")
    (demo / "logs" / "gateway.log").write_text("the page is at …\n", encoding="utf-8")
    box = sqlite3.connect(demo / "gateway.db")
    box.execute("create table pupil(pseudonym text primary key, number text not null unique, name text not null)")
    box.execute("create table box(k text primary key, v text not null)")
    box.executemany("insert into pupil values (?, ?, ?)", [("p1", NAMES[2], NAMES[0]), ("p2", NAMES[3], NAMES[1])])
    box.commit()
    box.close()
    sqlite3.connect(demo / "district.db").close()
    topic, payload = (
        b"inkgate/v1/demo/s/b/up",
        pack(bytes(8), 1, [json.dumps({"id": "1", "rev": 1, "day": "d", "body": "{}"})]),
    )
    (own / "mqtt.bin").write_bytes(PUBLISHED.pack(len(topic), len(payload)) + topic + payload)
    (own / "air.bin").write_bytes(struct.pack("<BI", 0, 4) + b"\x01\x03\x0c\x00")
    (own / "frames.bin").write_bytes(b"")
    return tmp_path / "run"


def test_the_roster_and_the_table_of_pupils_are_no_hits(run: Path) -> None:
    hits, searched = search_run(run, Search(NAMES))
    assert hits == []
    assert searched["databases"] > 0


def test_one_planted_in_any_kind_of_place_is_found(run: Path) -> None:
    found = planted(run, NAMES[0])
    assert len(found) == 7
    assert all(found.values()), found


@pytest.mark.parametrize("canary", NAMES)
def test_every_form_of_a_canary_is_found_wherever_it_stands(canary: str, tmp_path: Path) -> None:
    search = Search(NAMES)
    assert len(search.forms) > 80
    own = [form for form in Search([canary]).forms if form]
    for form in own:
        path = tmp_path / "file"
        path.write_bytes(b"before " + form + b" after")
        assert any(search_file(path, "here", search, defaultdict(int))), form


def test_a_form_of_base64_is_one_whatever_stands_before_it() -> None:
    import base64  # noqa: PLC0415  used here alone

    search = Search(NAMES)
    for before in (b"", b"x", b"xy", b"xyz"):
        text = base64.b64encode(before + NAMES[0].encode() + b" and more")
        assert any(search.scan(text, "here"))


def test_a_canary_over_the_edge_of_two_reads_is_found(tmp_path: Path) -> None:
    search = Search(NAMES, piece_bytes=300)
    path = tmp_path / "file"
    for at in range(250, 320):
        path.write_bytes(b"." * at + NAMES[2].encode() + b"." * 400)
        hits = list(search.scan_file(path, "here"))
        assert Hit("here", at, "number as utf-8") in hits
        assert {hit.at for hit in hits} == {at}


def test_names_of_other_pupils_are_no_hits(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("样戊己 L9000000003".encode())
    assert not list(Search(NAMES).scan_file(path, "here"))


def test_a_canary_in_a_files_name_is_found(run: Path) -> None:
    (run / "demo" / f"{NAMES[2]}.txt").write_text("", encoding="utf-8")
    hits, _ = search_run(run, Search(NAMES))
    assert len(hits) == 1

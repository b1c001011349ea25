"""The contract: whatever is written can be read, whatever cannot be read is one error."""

import hashlib
import itertools
import json
import struct
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Unreadable
from sync.messages import (
    MAX_PROOF_DAYS,
    MAX_ROWS,
    MAX_UNPACKED_BYTES,
    Announcement,
    DaySum,
    Proof,
    Receipt,
    Result,
    Row,
    day_sum,
    digest,
    number,
    pack,
    ranges,
    result_id,
    unpack,
)
from tests.sync.samples import result

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
EPOCHS = st.binary(min_size=8, max_size=8)
ESEQS = st.integers(1, 2**63 - 1)
FINITE = st.floats(-1000, 1000)
HEX32 = st.text("0123456789abcdef", min_size=32, max_size=32)

ROWS = st.builds(Row, id=TEXT.filter(bool), rev=st.integers(1, 2**31 - 1), day=st.dates().map(str), body=TEXT)
RESULTS = st.builds(
    Result,
    v=st.just(1),
    id=HEX32,
    rev=st.integers(1, 2**31 - 1),
    box=TEXT,
    lesson=TEXT,
    sheet=TEXT,
    sheet_rev=st.integers(0, 2**31),
    field=TEXT,
    pupil=TEXT,
    state=st.sampled_from(("not_handed_out", "no_pen", "not_captured", "blank", "answered", "unsure", "marked")),
    value=st.none() | TEXT,
    points=st.none() | FINITE,
    max_points=FINITE,
    confidence=st.none() | st.floats(0, 1),
    reader=TEXT,
    key=TEXT,
    ink=HEX32,
    decided_by=TEXT,
    coverage=st.none() | st.floats(0, 1),
    at_ms=st.integers(0, 253_402_300_799_999),
    clock=st.sampled_from(("trusted", "untrusted")),
)
RECEIPTS = st.builds(
    Receipt,
    v=st.just(1),
    epoch=st.just("") | EPOCHS.map(bytes.hex),
    ok=st.lists(ESEQS, max_size=20).map(ranges),
    refused=st.lists(st.tuples(ESEQS | HEX32, TEXT), max_size=5).map(tuple),
    conflict=st.lists(st.tuples(HEX32, st.integers(1, 99)), max_size=5).map(tuple),
    digests=st.lists(st.tuples(HEX32, HEX32), max_size=5).map(tuple),
    behind=st.lists(st.tuples(HEX32, st.integers(1, 99)), max_size=5).map(tuple),
    generation=TEXT,
    pos=st.integers(0, 2**63 - 1),
)


@given(RESULTS)
def test_a_result_comes_back_as_it_went(one: Result) -> None:
    assert Result.from_body(one.to_body()) == one


@given(RESULTS)
def test_the_same_result_is_always_the_same_text(one: Result) -> None:
    body = one.to_body()
    assert Result.from_body(body).to_body() == body
    assert list(json.loads(body))[:5] == ["v", "id", "rev", "box", "lesson"]
    assert "\n" not in body


def test_a_result_says_exactly_what_the_design_lists() -> None:
    told = json.loads(result(1).to_body())
    parts = (
        "v id rev box lesson sheet sheet_rev field pupil state value points max_points confidence reader key ink",
        "decided_by coverage at_ms clock",
    )
    assert list(told) == " ".join(parts).split(" ")


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"id": "G" * 32},
        {"id": "ab"},
        {"rev": 0},
        {"rev": 2**31},
        {"state": "fine"},
        {"max_points": None},
        {"at_ms": -1},
        {"at_ms": 10**18},
        {"points": "1"},
    ],
)
def test_a_result_with_a_field_out_of_its_bounds_is_unreadable(change: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        Result.from_body(json.dumps(json.loads(result(1).to_body()) | change))


def test_a_result_from_a_newer_box_with_more_fields_is_readable() -> None:
    assert Result.from_body(json.dumps(json.loads(result(1).to_body()) | {"mood": "good"})) == result(1)


def test_a_number_that_is_none_never_becomes_a_result() -> None:
    with pytest.raises(ValueError, match="finite"):
        msgspec.structs.replace(result(1), points=float("nan"))


def test_ids_differ_where_anything_differs_however_the_parts_are_cut() -> None:
    codes = {result_id("a", "b", "c", "d"), result_id("ab", "", "c", "d"), result_id('a","b', "", "c", "d")}
    codes |= {result_id("b", "b", "c", "d"), result_id("a", "b", "c", "e")}
    assert len(codes) == 5
    assert all(len(code) == 32 for code in codes)
    assert result_id("a", "b", "c", "d") == result_id("a", "b", "c", "d")


@given(ROWS)
def test_a_row_comes_back_as_it_went_on_one_line(row: Row) -> None:
    assert Row.from_json(row.to_json()) == row
    assert "\n" not in row.to_json()


def test_a_row_is_compact_json_with_the_body_as_a_string_and_the_documented_digest() -> None:
    row = Row(id="abc", rev=2, day="2026-09-21", body='{"v":1}')
    assert row.to_json() == '{"id":"abc","rev":2,"day":"2026-09-21","body":"{\\"v\\":1}"}'
    assert row.digest == hashlib.sha256(b'abc|2|{"v":1}').digest()[:16]


@given(EPOCHS, ESEQS, st.lists(ROWS, min_size=1, max_size=20))
def test_an_envelope_comes_back_as_it_went(epoch: bytes, eseq: int, rows: list[Row]) -> None:
    payload = pack(epoch, eseq, [row.to_json() for row in rows])
    assert number(payload) == (epoch, eseq, len(rows))
    assert unpack(payload) == rows


def test_an_envelope_is_laid_out_as_documented() -> None:
    payload = pack(b"epoch678", 7, ['{"id":"a","rev":1,"day":"","body":""}'] * 2)
    assert payload[:21] == b"\x01epoch678" + (7).to_bytes(8) + (2).to_bytes(4)
    assert zlib.decompress(payload[21:]).count(b"\n") == 1
    assert digest(payload) == hashlib.sha256(payload).digest()[:16]


@given(st.binary(max_size=200))
def test_no_bytes_at_all_do_more_than_be_unreadable(payload: bytes) -> None:
    for read in (number, unpack, Receipt.from_json, Announcement.from_json, Result.from_body, Row.from_json):
        try:
            read(payload)
        except Unreadable:
            continue


@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_compressed_bytes_do_more_than_be_unreadable(raw: bytes, rows: int) -> None:
    payload = struct.pack(">B8sQI", 1, b"epoch678", 1, rows) + zlib.compress(raw)
    with pytest.raises(Unreadable):
        unpack(payload)


@given(st.lists(ROWS, min_size=1, max_size=5), st.data())
def test_a_damaged_envelope_is_read_whole_or_not_at_all(rows: list[Row], data: st.DataObject) -> None:
    whole = pack(b"epoch678", 1, [row.to_json() for row in rows])
    at = data.draw(st.integers(21, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        assert unpack(bytes(damaged)) == rows
    except Unreadable:
        assert number(bytes(damaged)).eseq == 1
    with pytest.raises(Unreadable):
        unpack(whole[:at])


def _envelope(raw: bytes, rows: int, eseq: int = 1) -> bytes:
    return struct.pack(">B8sQI", 1, b"epoch678", eseq, rows) + zlib.compress(raw, 1)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        b"\x02" + pack(b"epoch678", 1, ["{}"])[1:],
        _envelope(b'{"id":"a","rev":1,"day":"","body":""}', 2),
        _envelope(b'{"id":"a","rev":1,"day":"","body":""}', 0),
        _envelope(b'{"id":"a","rev":1,"day":"","body":""}', 1, eseq=2**64 - 1),
        _envelope(b'{"id":"a","rev":1,"day":"","body":""}', 1, eseq=0),
        _envelope(b'{"id":"a","rev":1,"day":"","body":""}', 1) + b"more",
        _envelope(b'{"id":"a","rev":1,"day":"","body":"\\u0000"}', 1),
        _envelope(b'{"id":"a","rev":1,"day":""}', 1),
        _envelope(b'{"id":7,"rev":1,"day":"","body":""}', 1),
        _envelope(b'{"id":"a","rev":true,"day":"","body":""}', 1),
        _envelope(b"[" * 100_000, 1),
        _envelope(b"\xff\xfe", 1),
        _envelope(b"\n" * (MAX_ROWS + 1), MAX_ROWS + 2),
        _envelope(b" " * (MAX_UNPACKED_BYTES + 1), 1),
    ],
)
def test_a_hostile_envelope_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        unpack(payload)


@pytest.mark.parametrize(("epoch", "rows"), [(b"short", ["{}"]), (b"epoch678", []), (b"epoch678", ["{}"] * 10_001)])
def test_no_envelope_is_packed_that_the_other_end_would_refuse(epoch: bytes, rows: list[str]) -> None:
    with pytest.raises(ValueError, match="takes an epoch"):
        pack(epoch, 1, rows)


@given(RECEIPTS)
def test_a_receipt_comes_back_as_it_went(receipt: Receipt) -> None:
    assert Receipt.from_json(receipt.to_json()) == receipt


def test_the_receipt_of_the_reference_is_readable() -> None:
    told = (
        b'{"v":1,"epoch":"00112233445566aa","ok":[[1,40],[42,42]],"refused":[[41,"why"]],'
        b'"conflict":[["abc",3]],"generation":"aabb","pos":9}'
    )
    receipt = Receipt.from_json(told)
    assert receipt.ok == ((1, 40), (42, 42))
    assert receipt.refused == ((41, "why"),)
    assert receipt.conflict == (("abc", 3),)
    assert (receipt.generation, receipt.pos) == ("aabb", 9)


def test_a_receipt_for_an_unreadable_header_names_the_digest() -> None:
    told = b'{"v":1,"epoch":"","ok":[],"refused":[["' + b"ab" * 16 + b'","unknown version 9"]],"generation":"","pos":0}'
    assert Receipt.from_json(told).refused == (("ab" * 16, "unknown version 9"),)


@pytest.mark.parametrize(
    "told",
    [
        b"null",
        b"[]",
        b'{"epoch":""}',
        b'{"v":2,"epoch":""}',
        b'{"v":1,"epoch":"xyz"}',
        b'{"v":1,"ok":[[1]]}',
        b'{"v":1,"ok":[[-1,2]]}',
        b'{"v":1,"ok":[[1,99999999999999999999999]]}',
        b'{"v":1,"refused":[["nothex","why"]]}',
        b'{"v":1,"pos":1e400}',
    ],
)
def test_a_receipt_that_is_none_or_of_another_version_is_unreadable(told: bytes) -> None:
    with pytest.raises(Unreadable):
        Receipt.from_json(told)


def test_an_announcement_comes_back_as_it_went() -> None:
    one = Announcement(generations=(("aa", 0), ("bb", 17)))
    assert one.to_json() == b'{"generations":[["aa",0],["bb",17]]}'
    assert Announcement.from_json(one.to_json()) == one


@given(st.lists(st.integers(1, 60)))
def test_ranges_hold_the_same_numbers_and_never_touch(numbers: list[int]) -> None:
    found = ranges(numbers)
    assert {n for low, high in found for n in range(low, high + 1)} == set(numbers)
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(found))


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20), st.randoms())
def test_the_sum_of_a_day_does_not_care_for_order(digests: list[bytes], chance: object) -> None:
    shuffled = sorted(digests, key=lambda _: chance.random())  # type: ignore[attr-defined]  # hypothesis' Random
    assert day_sum(shuffled) == day_sum(digests)
    assert day_sum(digests).rows == len(digests)
    assert len(day_sum(digests).xor) == 32


SUMS = st.dictionaries(st.dates().map(str), st.builds(DaySum, st.integers(0, 2**40), HEX32), max_size=20)


@given(SUMS, TEXT, st.integers(0, 2**63 - 1), st.integers(0, 2**53))
def test_a_proof_comes_back_as_it_went(sums: dict[str, DaySum], generation: str, pos: int, at_ms: int) -> None:
    proof = Proof.of(sums, generation=generation, pos=pos, at_ms=at_ms)
    assert Proof.from_json(proof.to_json()) == proof
    assert proof.sums() == sums
    assert proof.since == ""


def test_a_proof_of_more_days_than_a_message_holds_tells_from_which_day_it_speaks() -> None:
    sums = {f"{number:05}": DaySum(1, "0" * 32) for number in range(MAX_PROOF_DAYS + 2)}
    proof = Proof.of(sums, generation="g", pos=1, at_ms=1)
    assert (proof.since, len(proof.days)) == ("00002", MAX_PROOF_DAYS)
    assert len(proof.to_json()) < 200_000


@given(
    st.binary(max_size=100)
    | st.recursive(st.none() | TEXT | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_are_a_proof_by_accident(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        Proof.from_json(payload)


@pytest.mark.parametrize(
    "change", [{"v": 2}, {"pos": -1}, {"days": [["d", 1, "short"]]}, {"days": [["d", -1, "0" * 32]]}, {"at_ms": None}]
)
def test_a_proof_that_is_damaged_or_of_another_version_is_unreadable(change: dict[str, object]) -> None:
    told = json.loads(Proof.of({}, generation="g", pos=1, at_ms=1).to_json()) | change
    with pytest.raises(Unreadable):
        Proof.from_json(json.dumps(told).encode())

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from gateway.errors import FoundProblems
from gateway.roster import merge, pseudonym, read_roster
from gateway.schema import migrations

KEY = b"0123456789abcdef"
GB18030 = bytes.fromhex(
    "d7f9bac52cd0d5c3fb2cd1a7bcaebac50d0a30312cbcd7d2bb2c473131303130353139343931323331303032580d0a"
)
TEXT = GB18030.decode("gb18030")


@pytest.fixture
def db(tmp_path: Path) -> Database:
    made = Database(tmp_path / "box.db")
    migrations.apply(made)
    return made


@pytest.mark.parametrize(
    "content",
    [
        GB18030,
        b"\xef\xbb\xbf" + TEXT.encode(),
        b"\xff\xfe" + TEXT.replace(",", "\t").encode("utf-16-le"),
        TEXT.replace(",", ";").encode(),
    ],
    ids=["GB18030", "UTF-8 with a mark", "UTF-16 with tabs", "semicolons"],
)
def test_a_roster_is_read_as_schools_write_it(content: bytes) -> None:
    (pupil,) = read_roster(content)
    assert pupil.seat == 1


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("座号,姓名,学籍号\n01,甲一,G110105194912310021\n", "line 2, column 3"),
        ("座号,姓名,学籍号\n01,甲一,1.10105E+17\n", "line 2, column 3"),
        ("座号,姓名,学籍号\n01,甲一,L1\n01,乙,L2\n", "line 3"),
        ("座号,姓名,学籍号\n1,甲一,L1\n2,乙,L1\n", "line 3"),
        ("座号,姓名,学籍号\nx,甲一,L1\n", "line 2, column 1"),
        ("座号,姓名,学籍号\n0,甲一,L1\n", "line 2, column 1"),
        ("座号,姓名,学籍号\n1,,L1\n", "line 2, column 2"),
        ("座号,姓名\n1,甲一\n", "line 1"),
        ("座号,姓名,学籍号\n", "line 1"),
        ("", "line 1"),
    ],
)
def test_a_fault_is_told_by_line_and_column_and_nothing_is_returned(text: str, where: str) -> None:
    with pytest.raises(FoundProblems) as found:
        read_roster(text.encode())
    assert found.value.problems[0][0] == where
    for secret in ("甲一", "G11010519491231002", "L1"):
        assert secret not in str(found.value)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda t: ("座号,姓名,学籍号\n" + t).encode("utf-8", "surrogatepass")),
        st.text(alphabet='0123LG,;\t"\r\n甲x\0', max_size=120).map(lambda t: ("座号,姓名,学籍号\n" + t).encode()),
    )
)
def test_any_bytes_are_a_roster_or_a_list_of_faults(content: bytes) -> None:
    try:
        pupils = read_roster(content)
    except FoundProblems as found:
        problems, pupils = found.problems, []
    else:
        problems = []
    assert bool(problems) != bool(pupils)
    assert len({pupil.seat for pupil in pupils}) == len(pupils)


def test_every_fault_of_a_file_is_told_at_once() -> None:
    with pytest.raises(FoundProblems) as found:
        read_roster("座号,姓名,学籍号\nx,甲,L1\n2,,L2\n3,丙,\n".encode())
    assert [where for where, _ in found.value.problems] == [
        "line 2, column 1",
        "line 3, column 2",
        "line 4, column 3",
    ]


def test_a_number_that_begins_with_l_has_no_check_digit() -> None:
    assert read_roster("座号,姓名,学籍号\n1,甲,L110105194912310021\n".encode())[0].number == "L110105194912310021"


def test_the_same_file_again_changes_nothing(db: Database) -> None:
    pupils = read_roster(GB18030)
    with db.atomic():
        first = merge(db, pupils, key=KEY, now_ms=1)
        again = merge(db, pupils, key=KEY, now_ms=2)
    assert (first.added, again.added, again.changed, again.removed) == (1, 0, 0, 0)


def test_a_missing_pupil_is_listed_and_leaves_only_when_told_to(db: Database) -> None:
    both = read_roster("座号,姓名,学籍号\n1,甲,L1\n2,乙,L2\n".encode())
    with db.atomic():
        merge(db, both, key=KEY, now_ms=1)
        listed = merge(db, both[:1], key=KEY, now_ms=2)
        assert listed.would_leave == (2,)
        assert db["pupil"].count_where("left_ms is null") == 2
        removed = merge(db, both[:1], key=KEY, now_ms=3, remove_missing=True)
    assert removed.removed == 1
    assert db["pupil"].count_where("left_ms is null") == 1


def test_a_pupil_is_known_by_number_and_never_by_name(db: Database) -> None:
    with db.atomic():
        merge(db, read_roster("座号,姓名,学籍号\n1,甲,L1\n".encode()), key=KEY, now_ms=1)
        merged = merge(db, read_roster("座号,姓名,学籍号\n1,甲,L2\n".encode()), key=KEY, now_ms=2)
    assert (merged.added, merged.changed, merged.would_leave) == (1, 0, (1,))


def test_a_pseudonym_needs_the_key_and_says_nothing() -> None:
    assert pseudonym("L1", KEY) == pseudonym("L1", KEY)
    assert pseudonym("L1", KEY) != pseudonym("L1", b"another key here")
    assert "L1" not in pseudonym("L1", KEY)

"""`sync` and `district prove`: two ends that are compared, by themselves and by each other's documents."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from gateway.cli import program
from gateway.store import Store
from sync import outbox, sums
from sync.district.sqlite_store import SqliteStore
from sync.district.store import Incoming
from sync.messages import Proof, Result
from sync.outbox import Numbers
from tests.sync.samples import MADE_MS, result

DAY = "2026-09-21"


class Ends:
    """A box's folder and a district's database, with no process between them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self._numbers = Numbers()
        self.district = folder / "district.db"
        self.run(outbox.depth)

    def run(self, work: Any) -> Any:  # noqa: ANN401  whatever the work gives back
        """Work in the box's store, while no gateway holds it."""
        store = Store(self.folder / "gateway.db")
        try:
            return store.submit(work).result()
        finally:
            store.close()

    def put(self, *results: Result) -> None:
        """Grades of the box, sealed."""

        def work(db: Database) -> None:
            for one in results:
                outbox.put(db, one)
            outbox.seal(db, self._numbers, now_ms=MADE_MS)

        self.run(work)

    def deliver(self) -> None:
        """What waits goes to the district; its receipts and its proof come back."""
        store = SqliteStore(self.district, None)
        store.open()
        offers = self.run(lambda db: outbox.offerable(db, after_id=0, limit=100))
        taken = store.take([Incoming("box-1", offer.payload) for offer in offers])
        read = store.sums(["box-1"])
        proof = Proof.of(read.days.get("box-1", {}), generation=read.generation, pos=read.pos, at_ms=MADE_MS)
        store.close()

        def book(db: Database) -> None:
            for _, receipt in taken.receipts:
                outbox.book(db, receipt, self._numbers)
            sums.keep(db, proof, now_ms=MADE_MS)

        self.run(book)

    def call(self, *words: str) -> tuple[int, str, str]:
        """A command."""
        settings = ["--set", f"box.folder={self.folder}", "--set", "box.language=en"]
        code = program([*settings, *words])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def document(self, *words: str) -> tuple[int, dict[str, Any]]:
        """A command's document."""
        code, out, err = self.call(*words, "--json")
        assert err == ""
        found: dict[str, Any] = json.loads(out)
        return code, found

    def file(self, *words: str) -> Path:
        """A command's document as a file."""
        path = self.folder / f"{words[0]}.json"
        path.write_text(json.dumps(self.document(*words)[1]), encoding="utf-8")
        return path


@pytest.fixture
def ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ends:
    return Ends(tmp_path, capsys)


def test_before_the_district_said_anything_nothing_is_claimed(ends: Ends) -> None:
    code, found = ends.document("sync", "prove")
    assert (code, found["schema"], found["verdict"], found["proof"]) == (69, "inkgate.proof/1", "unknown", None)


def test_equal_ends_are_equal_and_say_of_which_moment(ends: Ends) -> None:
    ends.put(*(result(n) for n in range(5)))
    ends.deliver()
    code, found = ends.document("sync", "prove")
    assert (code, found["verdict"], found["unsettled"]) == (0, "equal", [])
    assert (found["proof"]["pos"], found["days"][0]["box"]) == (1, found["days"][0]["district"])
    assert found["proof"]["age_s"] >= 0
    code, out, _ = ends.call("sync", "prove")
    assert code == 0
    assert "5 results on 1 day." in out


def test_what_waits_is_named_and_not_called_different(ends: Ends) -> None:
    ends.put(result(1))
    ends.deliver()
    ends.put(result(2))
    code, found = ends.document("sync", "prove")
    assert (code, found["verdict"]) == (3, "waiting")
    assert [(one["id"], one["why"]) for one in found["unsettled"]] == [(result(2).id, "waiting")]
    code, out, _ = ends.call("sync", "prove")
    assert "1 result waits" in out
    assert result(2).id in out


def test_a_box_that_the_broker_refuses_names_what_was_refused(ends: Ends) -> None:
    """Field case 26."""
    ends.put(result(1))
    ends.run(lambda db: outbox.refuse(db, 1, "sync.not_authorized"))
    code, found = ends.document("sync", "prove")
    assert (code, found["verdict"]) == (3, "waiting")
    assert [(one["id"], one["why"]) for one in found["unsettled"]] == [(result(1).id, "sync.not_authorized")]


def test_a_difference_is_named_record_by_record_from_either_end(ends: Ends) -> None:
    ends.put(*(result(n) for n in range(6)))
    ends.deliver()
    ends.run(lambda db: db.conn.execute("delete from result where id = ?", (result(0).id,)))
    ends.run(lambda db: db.conn.execute("update result set digest = zeroblob(16) where id = ?", (result(1).id,)))
    ends.run(lambda db: outbox.put(db, result(2, value="newer")))
    ends.run(lambda db: outbox.put(db, result(7)))
    expected = [
        (result(0).id, None, 1, "district_only"),
        (result(1).id, 1, 1, "content"),
        (result(2).id, 2, 1, "box_newer"),
        (result(7).id, 1, None, "box_only"),
    ]
    theirs = ends.file("district", "prove", "--db", str(ends.district), "--box", "box-1", "--records")
    code, found = ends.document("sync", "prove", "--against", str(theirs))
    assert (code, found["verdict"]) == (3, "different")
    (day,) = found["against"]["days"]
    records = [(one["id"], one["box_rev"], one["district_rev"], one["what"]) for one in day["records"]]
    assert records == sorted(expected)
    ours = ends.file("sync", "prove", "--records")
    code, other = ends.document("district", "prove", "--db", str(ends.district), "--against", str(ours))
    assert (code, other["against"]) == (3, found["against"])
    code, out, _ = ends.call("district", "prove", "--db", str(ends.district), "--against", str(ours))
    assert code == 3
    assert all(code in out for code, *_ in expected)


def test_what_only_the_district_has_is_told_in_words(ends: Ends) -> None:
    """A box that was restored from an older image."""
    ends.put(result(1), result(2))
    ends.deliver()
    ends.run(lambda db: db.conn.execute("delete from result where id = ?", (result(2).id,)))
    theirs = ends.file("district", "prove", "--db", str(ends.district), "--records")
    code, out, _ = ends.call("sync", "prove", "--against", str(theirs))
    assert code == 3
    assert "restored from an older copy" in out
    assert f"{result(2).id}  - / 1  district_only" in out
    code, out, _ = ends.call("sync", "prove")
    assert code == 3
    assert "the box has 1, the district 2" in out
    assert "district prove --box box-1 --json --records" in out


def test_equal_documents_are_equal_and_one_without_records_can_only_name_days(ends: Ends) -> None:
    ends.put(result(1))
    ends.deliver()
    theirs = ends.file("district", "prove", "--db", str(ends.district))
    assert ends.document("sync", "prove", "--against", str(theirs))[0] == 0
    ours = ends.file("sync", "prove")
    assert ends.call("district", "prove", "--db", str(ends.district), "--against", str(ours))[0] == 0
    ends.put(result(2))
    code, found = ends.document("sync", "prove", "--against", str(theirs))
    assert (code, found["against"]["days"][0]["records"]) == (3, None)
    assert "--records" in ends.call("sync", "prove", "--against", str(theirs))[1]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema":"inkgate.proof/1","end":"box","boxes":{}}', "\ufeff"])
def test_a_file_that_is_no_document_of_the_other_end_is_wrong_use(ends: Ends, text: str) -> None:
    path = ends.folder / "other.json"
    path.write_text(text, encoding="utf-8")
    code, out, err = ends.call("sync", "prove", "--against", str(path))
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_what_is_not_there_is_said_with_69(ends: Ends) -> None:
    for words in (
        ("sync", "prove", "--against", str(ends.folder / "none.json")),
        ("district", "prove", "--db", str(ends.folder / "none.db")),
    ):
        code, out, err = ends.call(*words)
        assert (code, out) == (69, "")
        assert "none" in err
    assert not (ends.folder / "none.db").exists()


def test_the_district_lists_its_boxes_for_a_person(ends: Ends) -> None:
    ends.put(result(1))
    ends.deliver()
    code, out, _ = ends.call("district", "prove", "--db", str(ends.district))
    assert code == 0
    assert f"box-1\t{DAY}\t1\t{result(1).to_row().digest.hex()}" in out


def test_status_says_depth_age_reason_and_that_nothing_is_lost(ends: Ends) -> None:
    ends.put(result(1))
    ends.run(lambda db: outbox.refuse(db, 1, "sync.not_authorized"))
    ends.put(result(2), result(3))
    code, out, _ = ends.call("sync", "status")
    assert code == 0
    assert "2 results wait, nothing is lost." in out
    assert "The oldest waits for" in out
    assert "inkgate sync retry" in out
    code, found = ends.document("sync", "status")
    assert (found["results_waiting"], found["results_refused"]) == (2, 1)
    assert found["refused_why"] == {"sync.not_authorized": 1}


def test_what_was_refused_waits_again_after_retry(ends: Ends) -> None:
    ends.put(result(1))
    ends.run(lambda db: outbox.refuse(db, 1, "unknown version 2"))
    assert ends.document("sync", "retry") == (0, {"schema": "inkgate.retry/1", "envelopes": 1})
    assert "0 packages" in ends.call("sync", "retry")[1]
    assert ends.document("sync", "status")[1]["results_waiting"] == 1


def test_enrolling_a_box_that_is_in_no_doubt_changes_nothing(ends: Ends) -> None:
    assert ends.document("sync", "enrol") == (0, {"schema": "inkgate.enrol/1", "was_in_doubt": False})
    assert "was not in doubt" in ends.call("sync", "enrol")[1]

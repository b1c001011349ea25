"""What a teacher decides of answers that the machine left open: written, kept from the machine, and undone.

One decision is of one field of one lesson and holds for one answer or for many that look alike. Each of its answers
gets a new revision, as everything does; what it was before stands beside, so that an undo can say it again word for
word, once. What a person decided is never overwritten by the machine: `kept` stands before every grade that the machine
makes. Only ink that came after it opens the answer again, as a question to a person and never as a grade.
"""

import json
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlite_utils import Database

from gateway import keys, labels, results
from gateway.errors import GatewayError
from gateway.results import Context, Graded
from gateway.words import say
from recognition.grading import MACHINE, Grade, by_teacher, key_parts
from recognition.scoring import DOUBTS, score
from recognition.sheets import Field
from sync.messages import result_id

INK_AFTER: Final = "ink_after_decision"
"""The reason of an answer that a person had decided, and that got ink since."""
UNDONE: Final = "undone"
"""The reason of a revision that says again what stood there before a decision."""
UNSURE: Final = "unsure"
LONGEST_VALUE: Final = 64

Verdict: TypeAlias = Literal["right", "wrong"]
_OWN: Final = ("state", "value", "points", "decided_by")
"""What shows that the newest grade is still the one that a decision wrote."""


class NotDecided(GatewayError, ValueError):
    """A decision that cannot be made as it was asked; nothing was changed.

    Attributes:
        said: The catalogue's code.
        params: Its numbers.
    """

    exit_code = 2

    def __init__(self, said: str, *, language: str = "en", **params: float | str) -> None:
        super().__init__(say(said, language, **params))
        self.said, self.params = said, params

    def in_language(self, language: str) -> "NotDecided":
        """The same, said in another language."""
        return type(self)(self.said, language=language, **self.params)


class Outdated(NotDecided):
    """The answers are no longer what was looked at: look again."""

    exit_code = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the teacher said; at least one of the three."""

    value: str | None = None
    """What stands there."""
    verdict: Verdict | None = None
    points: float | None = None

    @property
    def kind(self) -> str:
        """What the decision was about."""
        return "points" if self.points is not None else self.verdict or "value"


@dataclass(frozen=True, slots=True)
class Member:
    """One answer of a decision, as it was looked at."""

    pupil: str
    ink: str
    """Hash of the ink that was shown; empty for an answer on paper only."""
    strokes: bytes | None = None
    """That ink, packed, for the label; None where it is not at hand."""


class _Row(NamedTuple):
    """The newest grade of an answer."""

    ink: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that was made, or taken back, with what became of its answers."""

    id: str
    field: str
    grades: tuple[Graded, ...]
    left: int = 0
    """Of an undo: answers that have changed since and stay as they are."""


def judged(field: Field, before: Grade, said: Said, *, who: str, has_ink: bool) -> Grade:
    """The grade that a teacher gives.

    Raises:
        NotDecided: There is no such option or so many points, or the key does not say what the value is worth.
    """
    value = None if said.value is None else tidy(field, said.value)
    if value is None and said.verdict is None and said.points is None:
        raise NotDecided("review.nothing_said")
    points = _points(field, before, said, value)
    if not 0 <= points <= before.max_points:
        raise NotDecided("review.points_range", most=f"{before.max_points:g}")
    if value is None and not _may_stand(field, before, points):
        before = replace(before, value=None)
    return by_teacher(replace(before, reasons=()), points=points, who=who, value=value, has_ink=has_ink)


def tidy(field: Field, value: str) -> str:
    """A typed value as readings name it: full-width signs made plain, options in the sheet's order.

    Raises:
        NotDecided: It is empty, too long, or no option of the field.
    """
    plain = unicodedata.normalize("NFKC", value).strip()
    if not 1 <= len(plain) <= LONGEST_VALUE:
        raise NotDecided("review.value_length", most=LONGEST_VALUE)
    if not field.choices or field.kind not in {"choice", "truefalse", "letter"}:
        return plain
    options = {choice.value.casefold(): choice.value for choice in field.choices}
    parts = [part.strip() for part in plain.replace("、", ",").split(",")] if field.several else [plain]
    chosen = {options.get(part.casefold()) for part in parts}
    if None in chosen:
        raise NotDecided("review.no_option", options=", ".join(options.values()))
    return ",".join(option for option in options.values() if option in chosen)


def decide(
    db: Database,
    context: Context,
    field: Field,
    members: Sequence[Member],
    said: Said,
    *,
    who: str,
    now_ms: int,
    consent: bool,
    only_unsure: bool = True,
) -> Decision:
    """Decide answers of one field, all of them or none, inside the caller's transaction.

    Args:
        db: The box's.
        context: Of the lesson.
        field: With the key that counts now.
        members: The answers, as they were looked at.
        said: What the teacher says of them.
        who: The teacher's pseudonym.
        now_ms: When.
        consent: Whether the ink may be kept as labelled ink.
        only_unsure: Refuse answers that are decided already.

    Raises:
        NotDecided: It cannot be said so.
        Outdated: An answer has changed since it was looked at.
    """
    graded = []
    for member in members:
        before = _newest(db, context, field.id, member.pupil)
        if before is None:
            raise NotDecided("review.no_grade")
        if before.ink != member.ink or (only_unsure and before.grade.state != UNSURE):
            raise Outdated("review.changed")
        made = judged(field, before.grade, said, who=who, has_ink=bool(member.ink))
        graded.append((before.grade, Graded(field.id, member.pupil, member.ink, made, None)))
    code, value = secrets.token_hex(8), None if said.value is None else tidy(field, said.value)
    points = graded[0][1].grade.points if graded else None
    db.conn.execute(
        "insert into decision(id, at_ms, who, kind, lesson, field, value, points) values (?,?,?,?,?,?,?,?)",
        (code, now_ms, who, said.kind, context.lesson, field.id, value, points),
    )
    for member, (earlier, one) in zip(members, graded, strict=True):
        db.conn.execute(
            "insert into decision_member(decision, pupil, ink, before, after) values (?,?,?,?,?)",
            (code, member.pupil, member.ink, _text(asdict(earlier)), _text(_own(one.grade))),
        )
        results.write(db, context, one, now_ms=now_ms)
        if value is not None and member.ink:
            label = labels.Label(code, member.pupil, member.ink, field.kind, value, member.strokes)
            labels.keep(db, label, consent=consent, now_ms=now_ms)
    return Decision(code, field.id, tuple(one for _, one in graded))


def undo(db: Database, context: Context, *, now_ms: int) -> Decision:
    """Take back the newest decision of a lesson that stands: each answer is again what it was before, word for word.

    An answer that has changed since, by ink that came after the decision, stays as it is.

    Raises:
        NotDecided: There is none.
    """
    found = newest(db.conn, context.lesson)
    if found is None:
        raise NotDecided("review.nothing_to_undo")
    code, field = str(found["id"]), str(found["field"])
    query = "select pupil, ink, before, after from decision_member where decision = ? order by rowid"
    graded, left = [], 0
    for pupil, ink, before, after in db.conn.execute(query, (code,)).fetchall():
        here = _newest(db, context, field, pupil)
        if here is None or here.ink != ink or _own(here.grade) != json.loads(after):
            left += 1
            continue
        again = _again(db, context, _grade(json.loads(before)), (field, pupil, ink))
        one = Graded(field, pupil, ink, again, None)
        results.write(db, context, one, now_ms=now_ms)
        graded.append(one)
    db.conn.execute("update decision set undone_ms = ? where id = ?", (now_ms, code))
    return Decision(code, field, tuple(graded), left)


def newest(connection: Any, lesson: str) -> Mapping[str, Any] | None:  # noqa: ANN401  of sqlite3 or of sqlite_utils
    """The newest decision of a lesson that was not taken back, with how many answers it has."""
    cursor = connection.execute(
        "select d.*, (select count(*) from decision_member m where m.decision = d.id) answers from decision d"
        " where lesson = ? and undone_ms is null order by at_ms desc, rowid desc limit 1",
        (lesson,),
    )
    return _named(cursor)


def kept(db: Database, context: Context, graded: Graded) -> Graded | None:
    """What of a grade that the machine made may be written.

    Returns:
        None where a person decided this very ink; a question to a person where there is ink that he did not see; else
        the grade as it is.
    """
    if graded.grade.decided_by != MACHINE:
        return graded
    before = _newest(db, context, graded.field, graded.pupil)
    if before is None or (before.grade.decided_by == MACHINE and INK_AFTER not in before.grade.reasons):
        return graded
    if before.grade.decided_by != MACHINE and before.ink == graded.ink:
        return None
    # Without doubts of a key, which another key may clear: only a person does.
    reasons = (INK_AFTER, *(reason for reason in graded.grade.reasons if reason not in {INK_AFTER, *DOUBTS}))
    return replace(graded, grade=replace(graded.grade, state=UNSURE, points=0.0, reasons=reasons))


def _again(db: Database, context: Context, before: Grade, answer: tuple[str, str, str]) -> Grade:
    """What stood there, and that it stands there again; with what its reading named besides, for the pages."""
    said = results.reading_of(db.conn, context.lesson, *answer)
    others = next((one.alternatives for one in said if one.reader == before.reader), ())
    reasons = (*(reason for reason in before.reasons if reason != UNDONE), UNDONE)
    return replace(before, alternatives=others, reasons=reasons)


def _points(field: Field, before: Grade, said: Said, value: str | None) -> float:
    if said.points is not None:
        return said.points
    if said.verdict is not None:
        return before.max_points if said.verdict == "right" else 0.0
    found = score(field, value or "", variant=key_parts(before.key)[1]).points
    if found is None:
        raise NotDecided("review.needs_verdict", value=value or "")
    return found


def _may_stand(field: Field, before: Grade, points: float) -> bool:
    """Whether the value that the reader would say goes with the points that a person gave."""
    if before.value is None:
        return True
    found = score(field, before.value, variant=key_parts(before.key)[1]).points
    return found is None or found == points


def _newest(db: Database, context: Context, field: str, pupil: str) -> _Row | None:
    code = result_id(context.installation, context.lesson, field, pupil)
    row = _named(db.conn.execute("select * from grade where id = ? order by rev desc limit 1", (code,)))
    return None if row is None else _Row(row["ink"], keys.grade_of(row))


def _grade(content: Mapping[str, Any]) -> Grade:
    lists = {name: tuple(content[name]) for name in ("reasons", "alternatives")}
    return Grade(**{**content, **lists})


def _own(made: Grade) -> dict[str, Any]:
    return {name: getattr(made, name) for name in _OWN}


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)


def _named(cursor: Any) -> dict[str, Any] | None:  # noqa: ANN401  as in `newest`
    names, row = [column[0] for column in cursor.description], cursor.fetchone()
    return None if row is None else dict(zip(names, tuple(row), strict=True))

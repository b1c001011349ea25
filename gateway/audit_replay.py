"""A grade made again: its ink out of the store, by the reader and the key that its row names.

The ink is what the grade's hash stands for (`audit_ink`), whatever has come to the field since. The models are those
that are kept under their hash (`audit_models`); the rules around them are this program's, and where the row names
others that is said and nothing is compared. What was known of the circumstances (a loss that touched the field, a page
that did not fit, a pen that was never seen) the row itself says among its reasons, and its commitment proves that it
said so then. Of a grade that a person decided the reading under it is made again; points and value are the person's.

The same bit for bit is meant for the same machine and OpenCV: another processor may round a confidence in its last
digit, and is then told as a difference.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from gateway import audit, audit_ink, audit_models, keys
from gateway.answers import Answers, FieldInk
from gateway.errors import FoundProblems, Missing, WrongUse
from gateway.pens import Bindings
from gateway.reading import FAILED, NO_VERSION, SHARED, Answer, command_of, read_once
from gateway.results import RAISED
from gateway.settings import Settings
from gateway.store import looking
from recognition.grading import MACHINE, PAGE_UNTOUCHED, grade, key_parts
from recognition.ink import unpack
from recognition.pages import PageAddress
from recognition.sheets import Field, Sheet, load

_MADE: Final = ("state", "value", "points", "max_points", "confidence", "reader", "key", "ink", "coverage", "why")
"""What of a grade is made; the rest says whose it is and when it was made."""
_UNDER_A_PERSON: Final = ("max_points", "confidence", "reader", "key", "ink")
"""What of it a person does not decide."""


class Difference(NamedTuple):
    """A column that comes out otherwise."""

    column: str
    was: object
    now: object


@dataclass(frozen=True, slots=True)
class Replayed:
    """A grade that was made again."""

    row: dict[str, Any]
    """As it is in the store."""
    now: dict[str, Any]
    """What comes out now: the columns that are made."""
    by_person: bool
    strokes: int
    models: str
    """The hash of the models that read; empty where nothing was read."""
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """A grade and what it was made of."""

    row: dict[str, Any]
    why: tuple[str, ...]
    answers: Answers
    seat: int
    field: Field
    ink: FieldInk


def replay(settings: Settings, code: str, *, rev: int | None = None) -> Replayed:
    """Make a grade again.

    Args:
        settings: The box's.
        code: The grade's id, or its beginning where that names one alone.
        rev: Its revision; the newest where none is given.

    Raises:
        WrongUse: There is no such grade, or more than one.
        FoundProblems: Its ink, its lesson or its key is not in the store, or not as it was.
        Missing: The models or the rules that read it are not here.
    """
    with looking(settings.database) as connection:
        connection.execute("begin")
        case = _case(connection, _row(connection, code, rev))
    reader = case.row["reader"]
    if not case.ink.strokes or reader == NO_VERSION or FAILED in case.why:
        failed = Answer(0, None, 0.0, accepted=False, alternatives=(), reasons=(FAILED,), reader=reader)
        return _made(case, failed if FAILED in case.why else None, "")
    done: Replayed | None = None
    told: list[str] = []
    refused: list[str] = []
    request = case.answers.request((case.seat, case.field.id), case.ink)
    folders = (audit_models.chosen(settings), audit_models.SHIPPED)
    for models in audit_models.known(settings.box.folder, *folders):
        try:
            hello, answer = read_once(command_of(models.folder), [request])
        except Missing as error:
            refused.append(str(error))
            continue
        told.append(hello.reader)
        if hello.reader == reader:
            done = _made(case, answer, models.sha256)
            if not done.differences:
                break
            # Another folder may name itself alike, where only what is around its net differs: that may be the one.
    if done is None:
        raise Missing(_not_here(reader, told, refused))
    return done


def _not_here(reader: str, told: list[str], refused: list[str]) -> str:
    rules, _, model = reader.partition("+")
    for each in told:
        ours, _, its_model = each.partition("+")
        if its_model == model:
            return (
                f"This grade was read by {reader}. Its model is kept here, but this program's rules are {ours}:"
                f" replay it with the inkgate that has {rules}."
            )
    here = f"This grade was read by {reader}, and no model here is that one; here are {', '.join(sorted(set(told)))}."
    return " ".join([here, *(f"A folder of models cannot be used: {each}" for each in refused)])


def _row(connection: sqlite3.Connection, code: str, rev: int | None) -> dict[str, Any]:
    codes = connection.execute(
        "select distinct id from grade where substr(id, 1, length(?)) = ? limit 2", (code, code)
    ).fetchall()
    if len(codes) != 1:
        many = "More than one grade begins" if codes else "No grade begins"
        raise WrongUse(f"{many} with {code}; ids are 32 hex digits.")
    found = connection.execute(
        f"select {', '.join(audit.COLUMNS)} from grade where id = ? and rev = coalesce(?, rev) order by rev desc",  # noqa: S608  the columns of audit
        (codes[0][0], rev),
    ).fetchone()
    if found is None:
        raise WrongUse(f"Grade {codes[0][0]} has no revision {rev}.")
    return dict(zip(audit.COLUMNS, tuple(found), strict=True))


def _case(connection: sqlite3.Connection, row: dict[str, Any]) -> _Case:
    lesson = connection.execute(
        "select l.started_ms, l.stopped_ms, s.text from lesson l join sheet s on s.id = l.sheet and s.rev = l.sheet_rev"
        " where l.id = ?",
        (row["lesson"],),
    ).fetchone()
    seat = connection.execute(
        "select seat from lesson_seat where lesson = ? and pupil = ?", (row["lesson"], row["pupil"])
    ).fetchone()
    if lesson is None or seat is None:
        raise _hurt(row, f"its lesson {row['lesson']}", "it is not in the store, or the pupil was not in it")
    sheet = load(lesson[2])
    answers = Answers(
        lesson=row["lesson"], sheet=sheet, started_ms=lesson[0], seats={seat[0]: row["pupil"]}, settle_ms=0
    )
    place = (int(seat[0]), str(row["field"]))
    why = tuple(reason for reason in json.loads(row["why"]) if reason != RAISED)
    ink = FieldInk((), "")
    if row["ink"]:
        until_ms = 2**62 if lesson[1] is None else lesson[1]
        found = _listed(connection, row, answers, place) or _searched(connection, row, answers, place, until_ms)
        if found is None:
            raise _hurt(
                row, f"its ink {row['ink']}", "it is not in the store as it was; `inkgate audit verify` says more"
            )
        ink = found
    return _Case(row, why, answers, place[0], _field(connection, sheet, row), ink)


def _field(connection: sqlite3.Connection, sheet: Sheet, row: dict[str, Any]) -> Field:
    """The field under the version of its key that the row names."""
    try:
        versions = keys.history(connection, sheet, row["field"]).versions
    except KeyError:
        raise _hurt(row, f"field {row['field']}", f"sheet {sheet.id} revision {sheet.revision} has none") from None
    named, _ = key_parts(row["key"])
    found = [version.field for version in versions if version.field.key == named]
    if not found:
        have = ", ".join(version.field.key for version in versions if version.field.key) or "none"
        raise _hurt(row, f"key {row['key']}", f"of this field the store has {have}")
    return found[-1]


def _listed(
    connection: sqlite3.Connection, row: dict[str, Any], answers: Answers, place: tuple[int, str]
) -> FieldInk | None:
    """The ink by its list; None where it has none or not all of it is here."""
    listed = connection.execute("select strokes, pieces from graded_ink where ink = ?", (row["ink"],)).fetchone()
    if listed is None:
        return None
    for stroke, pieces, _ in audit_ink.pieces_of(connection, *listed):
        for piece in pieces:
            answers.add(place[0], stroke.page, stroke.pen, stroke.down_ms, np.vstack(unpack(piece.packed)))
    ink = answers.all_ink(place)
    return ink if ink.digest == row["ink"] else None


def _searched(
    connection: sqlite3.Connection,
    row: dict[str, Any],
    answers: Answers,
    place: tuple[int, str],
    until_ms: int,
) -> FieldInk | None:
    """The ink of a grade that is older than lists: it was all that had come to the field when some piece came."""
    page = answers.sheet.page_of(place[1])
    for seat, address, pen, down_ms, packed in _of_seat(connection, answers, place[0], until_ms):
        placed = answers.sheet.place(address)
        answers.add(seat, address, pen, down_ms, np.vstack(unpack(packed)))
        if placed is not None and placed[0] is page:
            ink = answers.ink(place)
            if ink.digest == row["ink"]:
                return ink
    return None


def _of_seat(
    connection: sqlite3.Connection, answers: Answers, seat: int, until_ms: int
) -> Iterator[tuple[int, PageAddress, str, int, bytes]]:
    bindings = Bindings(
        tuple(r) for r in connection.execute("select pen, seat, from_ms, to_ms from binding order by id")
    )
    pens = {pen for pen, _, _ in bindings.pens_of(seat, answers.started_ms, until_ms)}
    rows = connection.execute(
        "select pen, section, owner, note, page, down_ms, packed from ink where down_ms >= ? and down_ms < ?"
        " order by id",
        (answers.started_ms, until_ms),
    )
    for pen, section, owner, note, number, down_ms, packed in rows:
        if pen in pens and bindings.seat_of(pen, down_ms) == seat:
            yield seat, PageAddress(section, owner, note, number), pen, down_ms, packed


def _made(case: _Case, answer: Answer | None, models: str) -> Replayed:
    row, why = case.row, case.why
    made = grade(
        case.field,
        None if answer is None else answer.to_reading(shared=SHARED in why),
        reader=NO_VERSION if answer is None else answer.reader,
        handed_out=row["state"] != "not_handed_out",
        pen_seen=row["state"] != "no_pen",
        losses_touch="ink_missing" in why,
        has_ink=bool(case.ink.strokes),
        fits="page_does_not_fit" not in why,
        coverage=row["coverage"],
        variant=key_parts(row["key"])[1],
        page_untouched=PAGE_UNTOUCHED in why,
    )
    now = {name: getattr(made, name) for name in _MADE if name not in ("ink", "why")}
    now |= {"ink": case.ink.digest, "why": list(made.reasons)}
    was = {**{name: row[name] for name in _MADE}, "why": list(why)}
    by_person = row["decided_by"] != MACHINE
    differences = tuple(
        Difference(name, was[name], now[name])
        for name in (_UNDER_A_PERSON if by_person else _MADE)
        if repr(was[name]) != repr(now[name])  # a float's repr is its bits
    )
    return Replayed(row, now, by_person, len(case.ink.strokes), models, differences)


def _hurt(row: dict[str, Any], where: str, what: str) -> FoundProblems:
    return FoundProblems(f"Grade {row['id']} rev {row['rev']} cannot be made again", [(where, what)])

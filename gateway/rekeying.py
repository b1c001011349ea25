"""What a person may ask about answer keys: show one, change it, undo a change; and what that does to whom.

Answers are named by lesson, seat and pseudonym. Every sum says of how many answers it is one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any, Final

from gateway import keys
from gateway.errors import FoundProblems, WrongUse
from gateway.keys import Affected, Change, History, Weighed
from gateway.lesson import LessonDesk
from gateway.store import Store
from recognition.errors import SheetError
from recognition.grading import Grade, Total, total
from recognition.sheets import Alternate, Field, KeyOptions, Sheet, key_table, load, rekeyed, right_forms

_OPTIONS: Final = {each.name: type(each.default) for each in fields(KeyOptions)}
_NO: Final = frozenset({"", "false", "no", "0"})
_YES: Final = frozenset({"true", "yes", "1"})


class Rekeying:
    """Keys of the lessons on this box. Lives in the loop's thread."""

    def __init__(
        self, store: Store, desk: LessonDesk, *, who: Callable[[], str], changed: Callable[[], object] = lambda: None
    ) -> None:
        """Nothing changes by itself.

        Args:
            store: The box's.
            desk: The lessons.
            who: The pseudonym of whoever may ask.
            changed: Told when there are new results.
        """
        self._store, self._desk, self._who, self._changed = store, desk, who, changed

    def show(self, *, lesson: str | None, field: str) -> dict[str, Any]:
        """A field's key in a lesson: what is in force, and every version of it."""
        code, sheet = self._sheet(lesson)
        history = self._history(sheet, field)
        now = history.now.field
        grades = [one.before for one in _all(keys.weigh(self._store.reader, Change(sheet, now, None, "")))]
        return {
            **_place(code, sheet, field),
            "kind": now.kind,
            "points": now.points,
            **_key(now),
            "counts_as_right": [] if now.choices else right_forms(now.keys, now.options),
            "steps": [{"id": s.id, "points": s.points, "keys": list(s.keys)} for s in now.steps],
            "version": history.now.number,
            "versions": [
                {
                    "version": each.number,
                    "in_force": each.number == history.now.number,
                    "undone": each.number not in history.in_force,
                    **_key(each.field),
                    "who": each.who,
                    "at_ms": each.at_ms,
                }
                for each in history.versions
            ],
            "total": _total(total(grades)),
        }

    async def set(
        self,
        *,
        lesson: str | None,
        field: str,
        values: Sequence[str],
        points: Sequence[float] = (),
        options: Mapping[str, str] | None = None,
        variant: str = "",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Put another key of a field into force, for every lesson with this revision of its sheet.

        Args:
            lesson: A lesson with the sheet; the one that runs, where None.
            field: The field.
            values: The answers that get points.
            points: Of each answer, in their order; all of the field's points for those that are left over.
            options: Options of the key that change, as texts; an empty text takes one away.
            variant: The variant of the sheet whose key it is, where the field has such.
            dry_run: Only say what it would do.
        """
        code, sheet = self._sheet(lesson)
        history = self._history(sheet, field)
        before = history.now
        table = _table(before.field, values, points, options or {}, variant)
        try:
            after = rekeyed(before.field, table, version=history.next_number)
        except SheetError as error:
            raise FoundProblems("The key cannot be used; nothing was changed", error.problems) from None
        is_same = replace(after, key_version=before.number) == before.field
        change = Change(sheet, before.field if is_same else after, None, self._who())
        weighed = await self._done(change, is_done=not (dry_run or is_same))
        return {
            **_place(code, sheet, field),
            "version": change.field.key_version,
            "replaces": before.number,
            "same": is_same,
            "dry_run": dry_run,
            **_key(change.field),
            **self._told(weighed),
        }

    async def undo(self, *, lesson: str | None, field: str | None, dry_run: bool = False) -> dict[str, Any]:
        """Undo the newest change of a field's key, or of any key of the lesson's sheet."""
        code, sheet = self._sheet(lesson)
        name = field or keys.newest_change(self._store.reader, sheet)
        history = None if name is None else self._history(sheet, name)
        if name is None or history is None or len(history.in_force) == 1:
            raise WrongUse(f"No change of a key of {f'field {field}' if field else f'sheet {sheet.id}'} can be undone.")
        undone, back = history.in_force[-1], history[history.in_force[-2]]
        weighed = await self._done(Change(sheet, back.field, undone, self._who()), is_done=not dry_run)
        return {
            **_place(code, sheet, name),
            "version": back.number,
            "undoes": undone,
            "dry_run": dry_run,
            **_key(back.field),
            **self._told(weighed),
        }

    async def _done(self, change: Change, *, is_done: bool) -> Weighed:
        if not is_done:
            return keys.weigh(self._store.reader, change)
        weighed = await self._desk.rekey(change)
        self._changed()
        return weighed

    def _sheet(self, lesson: str | None) -> tuple[str, Sheet]:
        """A lesson's id and its sheet as it was printed."""
        where, values = ("id = ?", (lesson,)) if lesson else ("stopped_ms is null", ())
        row = self._store.reader.execute(
            f"select l.id, s.text from lesson l join sheet s on s.id = l.sheet and s.rev = l.sheet_rev where l.{where}",  # noqa: S608  one of the two texts above
            values,
        ).fetchone()
        if row is None and lesson:
            raise WrongUse(f"There is no lesson {lesson}; `inkgate lesson list` shows which there are.")
        if row is None:
            raise WrongUse("No lesson runs; say which one is meant: `inkgate lesson list` shows which there are.")
        return row[0], load(row[1])

    def _history(self, sheet: Sheet, field: str) -> History:
        names = [f.id for page in sheet.pages for f in page.fields]
        if field not in names:
            near = get_close_matches(field, names, 1)
            raise WrongUse(
                f"Sheet {sheet.id} has no field {field}"
                + (f"; {near[0]} is near." if near else f"; it has {', '.join(names)}.")
            )
        return keys.history(self._store.reader, sheet, field)

    def _told(self, weighed: Weighed) -> dict[str, Any]:
        """Who is affected, and the sums of each lesson before and after."""
        running = None if self._desk.running is None else self._desk.running.row.id
        lessons = list(dict.fromkeys(one.lesson for one in _all(weighed)))
        return {
            "changed": [
                {**_who(one), "before": _state(one.before), "after": _state(one.after)} for one in weighed.changed
            ],
            "kept_by_hand": [
                {**_who(one), **_state(one.before), "decided_by": one.before.decided_by} for one in weighed.by_hand
            ],
            "unchanged": len(weighed.unchanged),
            "lessons": [
                {
                    "lesson": lesson,
                    "runs": lesson == running,
                    "changed": sum(one.lesson == lesson for one in weighed.changed),
                    "kept_by_hand": sum(one.lesson == lesson for one in weighed.by_hand),
                    "before": _total(total(one.before for one in _all(weighed) if one.lesson == lesson)),
                    "after": _total(total(one.after for one in _all(weighed) if one.lesson == lesson)),
                }
                for lesson in lessons
            ],
        }


def _table(
    field: Field, values: Sequence[str], points: Sequence[float], options: Mapping[str, str], variant: str
) -> dict[str, Any]:
    """The new key in a definition's form: the answers given, and what of the present key is not replaced."""
    if len(points) > len(values):
        raise WrongUse(f"There are {len(points)} points for {len(values)} answers.")
    if field.variants and not variant:
        raise WrongUse(
            f"Field {field.id} has a key for each variant: say which one; {', '.join(sorted(field.variants))}."
        )
    if variant and variant not in field.variants:
        raise WrongUse(
            f"Field {field.id} has no key of variant {variant}"
            + (f"; it has {', '.join(sorted(field.variants))}." if field.variants else ": its key is the same in all.")
        )
    told = [*points, *[field.points] * (len(values) - len(points))]
    given = [Alternate(value, float(worth), variant) for value, worth in zip(values, told, strict=True)]
    table = key_table(field)
    kept = [one for one in field.alternates if one.variant != variant] if variant else []
    full = [one.value for one in given if one.points == field.points and not variant]
    rest = [one for one in given if one.points != field.points or variant]
    new = key_table(replace(field, keys=tuple(full), alternates=(*kept, *rest)))
    new["keys"] = table["keys"] if variant else new["keys"]
    new["options"] = _options(table["options"], options)
    return new


def _options(present: Mapping[str, Any], changed: Mapping[str, str]) -> dict[str, Any]:
    """Options with those that change, out of texts; `sheet lint`'s own checks say what is not allowed."""
    out = dict(present)
    for name, text in changed.items():
        if name not in _OPTIONS:
            near = get_close_matches(name, _OPTIONS, 1)
            raise WrongUse(
                f"A key has no option {name}"
                + (f"; {near[0]} is near." if near else f"; there are {', '.join(_OPTIONS)}.")
            )
        if text.lower() in _NO:
            out.pop(name, None)
        else:
            out[name] = _value(name, text)
    return out


def _value(name: str, text: str) -> bool | float | str:
    if _OPTIONS[name] is bool:
        if text.lower() not in _YES:
            raise WrongUse(f"Option {name} is true or false, not {text}.")
        return True
    if _OPTIONS[name] is float:
        try:
            return float(text)
        except ValueError:
            raise WrongUse(f"Option {name} takes a number, not {text}.") from None
    return text


def _all(weighed: Weighed) -> Iterable[Affected]:
    return (*weighed.changed, *weighed.by_hand, *weighed.unchanged)


def _place(lesson: str, sheet: Sheet, field: str) -> dict[str, Any]:
    return {"lesson": lesson, "sheet": sheet.id, "sheet_rev": sheet.revision, "field": field}


def _who(one: Affected) -> dict[str, Any]:
    return {"lesson": one.lesson, "seat": one.seat, "pupil": one.pupil}


def _state(made: Grade) -> dict[str, Any]:
    return {"state": made.state, "value": made.value, "points": made.points, "key": made.key}


def _key(field: Field) -> dict[str, Any]:
    """Every answer that gets points, and the options that are set."""
    full = [{"value": key, "points": field.points, "variant": None} for key in field.keys]
    rest = [{"value": a.value, "points": a.points, "variant": a.variant or None} for a in field.alternates]
    return {"answers": [*full, *rest], "options": key_table(field)["options"]}


def _total(sums: Total) -> dict[str, Any]:
    return {
        "points": sums.points,
        "max_points": sums.max_points,
        "decided": sums.decided,
        "answers": sums.answers,
        "coverage": round(sums.coverage, 4),
    }

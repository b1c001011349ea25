"""What a command may ask of the running gateway, one method an errand; the page and the commands call the same ones."""

import base64
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from gateway import pens, roster, views
from gateway.box import Box
from gateway.control import Handler
from gateway.dashboard.check import CheckView
from gateway.decisions import Said
from gateway.errors import FoundProblems, WrongUse
from gateway.identity import pseudonym_key, teacher_name
from gateway.rekeying import Rekeying
from recognition.errors import SheetError
from sync import outbox

logger = logging.getLogger(__name__)

_MAC: Final = re.compile(r"^[0-9A-F]{2}(:[0-9A-F]{2}){5}$")


_WRITING: Final = frozenset(
    {
        "pens_join",
        "pens_bind",
        "pens_forget",
        "roster_import",
        "lesson_start",
        "key_set",
        "key_undo",
        "review_decide",
        "review_undo",
        "sync_retry",
        "sync_enrol",
    }
)
"""Errands that write, and may wait. Stopping a lesson may not: its results go out from the reserve."""


class Service:
    """The errands, over a running box."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._keys = Rekeying(
            box.store,
            box.desk,
            who=lambda: teacher_name(pseudonym_key(box.settings.box.folder)),
            changed=box.uplink.wake,
        )

    def handlers(self) -> dict[str, Handler]:
        """By name, as the control socket wants them; while the disk is full those that write are refused."""
        return {name: self._guarded(errand) if name in _WRITING else errand for name, errand in self._errands().items()}

    def _guarded(self, errand: Handler) -> Handler:
        async def do(request: Mapping[str, Any]) -> Any:  # noqa: ANN401  whatever the errand answers
            return await self._box.guard.writing(lambda: errand(request))

        return do

    def _errands(self) -> dict[str, Handler]:
        return {
            "status": self.status,
            "page": self.page,
            "pens_list": self.pens_list,
            "pens_join": self.pens_join,
            "pens_bind": self.pens_bind,
            "pens_identify": self.pens_identify,
            "pens_forget": self.pens_forget,
            "capture_start": self.capture_start,
            "capture_status": self.capture_status,
            "capture_stop": self.capture_stop,
            "roster_import": self.roster_import,
            "lesson_start": self.lesson_start,
            "lesson_stop": self.lesson_stop,
            "lesson_list": self.lesson_list,
            "key_show": self.key_show,
            "key_set": self.key_set,
            "key_undo": self.key_undo,
            "review_list": self.review_list,
            "review_decide": self.review_decide,
            "review_skip": self.review_skip,
            "review_undo": self.review_undo,
            "sync_status": self.sync_status,
            "sync_retry": self.sync_retry,
            "sync_enrol": self.sync_enrol,
        }

    async def status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """How the gateway does."""
        del request
        return views.status(self._box)

    async def page(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Where the page is, and its PIN: for whoever may read the box's folder."""
        del request
        return {"url": self._box.page_url, "pin": self._box.pin}

    async def pens_list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Every pen that is known or heard, why it is not linked, and the join window."""
        del request
        return views.pens(self._box)

    async def pens_join(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Open the join window; 0 minutes close it."""
        return await self._box.join(float(request["minutes"]))

    async def pens_bind(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Bind pens to seats by hand: `pairs` of MAC and seat, all or none."""
        pairs = [(_mac(pen), _seat(seat)) for pen, seat in request["pairs"]]
        _refuse_doubles(pairs)
        now_ms = self._box.now_ms()
        how = str(request.get("how", "hand"))

        def work(db: Database) -> None:
            for pen, seat in pairs:
                pens.bind(db, pen=pen, seat=seat, at_ms=now_ms, how=how)

        await self._box.store.run(work)
        await self._box.bindings_changed()
        return {"bound": len(pairs)}

    async def pens_identify(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make one pen show itself."""
        return self._box.linking.identify(_mac(request["pen"]))

    async def pens_forget(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Let a pen go; its ink stays."""
        pen, now_ms = _mac(request["pen"]), self._box.now_ms()
        known = await self._box.store.run(lambda db: pens.forget(db, pen=pen, at_ms=now_ms))
        if not known:
            raise WrongUse(f"No pen {pen} is adopted here; `inkgate pens list` shows which are.")
        await self._box.bindings_changed()
        await self._box.let_go(pen)
        return {"forgotten": pen}

    async def capture_start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Record what a pen says into a new file."""
        pen = _mac(request["pen"]) if request.get("pen") else None
        return self._box.captures.start(Path(request["path"]), pen=pen, seconds=float(request.get("seconds") or 0))

    async def capture_status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """How the capture does."""
        del request
        return self._box.captures.status()

    async def capture_stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """End the capture."""
        del request
        return self._box.captures.stop()

    async def roster_import(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Bring the class list to this file's."""
        pupils = roster.read_roster(base64.b64decode(request["content"]))
        key = pseudonym_key(self._box.settings.box.folder)
        remove, now_ms = bool(request.get("remove_missing")), self._box.now_ms()
        merged = await self._box.store.run(
            lambda db: roster.merge(db, pupils, key=key, now_ms=now_ms, remove_missing=remove)
        )
        await self._box.roster_changed()
        return {
            "pupils": len(pupils),
            "added": merged.added,
            "changed": merged.changed,
            "removed": merged.removed,
            "would_leave_seats": list(merged.would_leave),
        }

    async def lesson_start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a lesson with a sheet."""
        try:
            back_ms = round(float(request.get("back_minutes") or 0) * 60_000)
            said = await self._box.desk.start(str(request["text"]), back_ms=back_ms)
        except SheetError as error:
            raise FoundProblems("The sheet cannot be used", error.problems) from None
        self._box.lesson_began()
        return said

    async def lesson_stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Stop the lesson that runs."""
        del request
        return await self._box.desk.stop()

    async def lesson_list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """All lessons, newest first."""
        del request
        return {"lessons": lessons(self._box.store.reader.execute)}

    async def key_show(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The key of a field in a lesson, and its versions."""
        return self._keys.show(lesson=request.get("lesson"), field=str(request["field"]))

    async def key_set(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Put another key of a field into force, and say who is affected."""
        return await self._keys.set(
            lesson=request.get("lesson"),
            field=str(request["field"]),
            values=[str(value) for value in request["values"]],
            points=[float(points) for points in request.get("points", ())],
            options={str(name): str(text) for name, text in request.get("options", {}).items()},
            variant=str(request.get("variant") or ""),
            dry_run=bool(request.get("dry_run")),
        )

    async def key_undo(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Undo the newest change of a key."""
        return await self._keys.undo(
            lesson=request.get("lesson"), field=request.get("field"), dry_run=bool(request.get("dry_run"))
        )

    async def review_list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What nobody has decided, similar ones together."""
        stack = await self._box.review.stack(_lesson(request))
        return review_view(stack)

    async def review_decide(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Decide a group, or one answer as FIELD@SEAT."""
        points = request.get("points")
        said = Said(
            value=request.get("value"),
            verdict=request.get("verdict"),
            points=None if points is None else float(points),
        )
        made = await self._box.review.decide_group(_lesson(request), str(request["group"]), said)
        return {"field": made.field, "answers": len(made.grades), "points": made.grades[0].grade.points}

    async def review_skip(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Put a group at the end of the stack."""
        group = await self._box.review.skip_group(_lesson(request), request.get("group"))
        return {"group": group.id, "answers": len(group.inks)}

    async def review_undo(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take back the newest decision."""
        undone = await self._box.review.undo(_lesson(request))
        return {"field": undone.field, "answers": len(undone.grades), "left": undone.left}

    async def sync_status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Depth and age of the outbox, and the way to the district."""
        del request
        depth = await self._box.store.run(outbox.depth)
        return {**depth_view(depth, self._box.now_ms()), "link": self._box.uplink.view()}

    async def sync_retry(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Offer again what broker or district refused."""
        del request
        return {"envelopes": await self._box.uplink.retry()}

    async def sync_enrol(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """This machine alone has the box's name from now on."""
        del request
        return {"was_in_doubt": await self._box.uplink.enrol()}


def lessons(execute: Callable[[str], Any]) -> list[dict[str, Any]]:
    """All lessons, newest first, out of any connection to the store."""
    query = (
        "select l.id, l.sheet, l.sheet_rev, l.started_ms, l.stopped_ms, (select count(*) from lesson_seat s"
        " where s.lesson = l.id) seats, (select count(*) from newest_grade g where g.lesson = l.id) answers"
        " from lesson l order by l.started_ms desc"
    )
    return [dict(row) for row in execute(query)]


def review_view(stack: CheckView) -> dict[str, Any]:
    """The stack for commands: groups by name, without their ink."""
    groups = [
        {
            "group": group.id,
            "field": group.field.field,
            "kind": group.kind,
            "prompt": dict(group.prompt),
            "key": group.key,
            "max_points": group.max_points,
            "guesses": [{"value": guess.value, "points": guess.points} for guess in group.guesses],
            "reasons": list(group.reasons),
            "seats": [ink.seat for ink in group.inks],
        }
        for group in stack.groups
    ]
    undo = None if stack.undo is None else asdict(stack.undo)
    return {"lesson": stack.lesson or None, "remain": stack.remain, "groups": groups, "undo": undo}


def depth_view(depth: outbox.OutboxDepth, now_ms: int) -> dict[str, Any]:
    """The outbox's depth for people and programs."""
    oldest = depth.oldest_ms
    return {
        "fresh": depth.fresh,
        "waiting": depth.waiting,
        "results_waiting": depth.fresh + depth.waiting_results,
        "refused": depth.refused,
        "results_refused": depth.refused_results,
        "refused_why": depth.reasons,
        "foreign": depth.foreign,
        "raised": depth.raised,
        "oldest_s": None if oldest is None else round(max(0, now_ms - oldest) / 1000, 1),
    }


def _lesson(request: Mapping[str, Any]) -> str | None:
    return str(request["lesson"]) if request.get("lesson") else None


def _mac(text: object) -> str:
    mac = str(text).strip().upper().replace("-", ":")
    if not _MAC.match(mac):
        raise WrongUse(f"`{text}` is no pen's MAC; it looks like 9C:7B:D2:50:00:01.")
    return mac


def _seat(value: object) -> int:
    try:
        seat = int(str(value))
    except ValueError:
        raise WrongUse(f"`{value}` is no seat; a seat is a whole number from 1 to 999.") from None
    if not 1 <= seat <= roster.HIGHEST_SEAT:
        raise WrongUse(f"Seat {seat} does not exist; seats go from 1 to {roster.HIGHEST_SEAT}.")
    return seat


def _refuse_doubles(pairs: list[tuple[str, int]]) -> None:
    for index, (pen, seat) in enumerate(pairs, 1):
        if any(pen == other for other, _ in pairs[index:]):
            raise WrongUse(f"Pen {pen} stands twice; nothing was bound.")
        if any(seat == other for _, other in pairs[index:]):
            raise WrongUse(f"Seat {seat} stands twice; nothing was bound.")

"""What is done to a class: kills, crash points, a wiped broker, an image put back, protections taken away."""

import dataclasses
import importlib.util
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.chaos.house import Trouble
from tests.chaos.points import POINTS, CrashPoint
from tests.chaos.running import BACK_S, Options, Outcome, Run, trouble

IMAGE_AGE_S: Final = 10.0
REMOVALS: Final = ("delete_before_commit", "delete_on_puback", "epoch_in_database", "journal_after_screen")
_MEET_S: Final = 60.0

Scenario = Callable[[Path, Options], Outcome]


def kills(folder: Path, options: Options) -> Outcome:
    """Gateway, reader, broker, receiver and database die at random moments, in a random order."""
    run = Run(folder, options, "kills")
    names = ["gateway", "reader", "broker", "receiver"] + ["database"] * (run.house.database is not None)
    if run.house.database is None:
        run.outcome.skipped.append("kills of the database: SQLite has no process of its own")
    order = names * options.kills
    run.dice.shuffle(order)
    try:
        with run.going():
            for name in order:
                run.wait_writing()
                _kill(run, name)
            return run.close()
    except Trouble as error:
        return trouble(run.outcome, error)


def _kill(run: Run, name: str) -> None:
    """Kill one process and wait until it does its work again."""
    outcome = run.outcome
    outcome.kills[name] = outcome.kills.get(name, 0) + 1
    since_ms = time.time_ns() // 1_000_000
    if name == "gateway":
        run.school.kill_gateway()
        run.note_gateway_back()
        return
    if name == "reader":
        seconds = _kill_reader(run)
    else:
        service = next(s for s in run.house.services if s.name == name)
        service.kill()
        began = time.monotonic()
        service.start()
        run.school.wait_until(lambda: run.receipts_flow(since_ms), BACK_S, f"receipts flow after the {name}'s death")
        seconds = time.monotonic() - began
    outcome.recovery_s.setdefault(name, []).append(round(seconds, 2))


def _kill_reader(run: Run) -> float:
    school = run.school
    before = school.status()
    pid, read = before["reader_pid"], before["figures"]["penup_to_grade_ms"].get("n", 0)
    if pid is None:
        raise Trouble("no reader runs")
    os.kill(pid, signal.SIGKILL)

    def answers() -> bool:
        said = school.status()
        done = said.get("figures", {}).get("penup_to_grade_ms", {}).get("n", 0)
        return said.get("reader_pid") not in {None, pid} and done > read

    return school.wait_until(answers, BACK_S, "another reader answers")


def points(folder: Path, options: Options) -> Outcome:
    """Each named crash point, several times, in a random order."""
    run = Run(folder, options, "points")
    drains = importlib.util.find_spec("gateway.drain") is not None
    chosen = [p for p in POINTS if _fits(p, options, drains=drains)]
    if not drains:
        run.outcome.skipped.append("points of the drain: this program drains no memories")
    order = chosen * options.rounds
    run.dice.shuffle(order)
    try:
        with run.going():
            for point in order:
                run.wait_writing()
                _meet(run, point)
            return run.close()
    except Trouble as error:
        return trouble(run.outcome, error)


def _fits(point: CrashPoint, options: Options, *, drains: bool) -> bool:
    if point.name.startswith("stored_no_receipt"):
        return point.name.endswith(options.database)
    return drains or not point.drains


def _meet(run: Run, point: CrashPoint) -> None:
    """Somebody dies in the point; a drain's point needs ink in the pens, so the gateway dies once before."""
    outcome = run.outcome
    if point.drains:
        (run.own / "arm" / point.name).touch()
        run.school.kill_gateway()
    if not run.meet(point, _MEET_S):
        outcome.faults.append(f"nobody came by {point.name} within {_MEET_S:.0f} s")
        return
    outcome.kills[point.name] = outcome.kills.get(point.name, 0) + 1
    if point.role == "gateway":
        run.note_gateway_back()
    else:
        since_ms = time.time_ns() // 1_000_000
        run.school.wait_until(lambda: run.receipts_flow(since_ms), BACK_S, f"receipts flow after {point.name}")


def wiped(folder: Path, options: Options) -> Outcome:
    """Receivers down first, then the broker with its disk wiped; then both come back."""
    return _wiped(Run(folder, options, "wiped"))


def _wiped(run: Run) -> Outcome:
    try:
        with run.going():
            run.wait_writing()
            run.house.receiver.held = True
            run.house.receiver.kill()
            run.pause(6.0)
            run.school.wait_until(lambda: run.school.sync_status().get("waiting", 0) > 0, BACK_S, "results wait")
            run.outcome.notes["waiting_before_the_wipe"] = run.school.sync_status().get("waiting")
            run.house.broker.kill()
            run.house.broker.wipe()
            run.house.broker.start()
            run.pause(2.0)
            since_ms = time.time_ns() // 1_000_000
            run.house.receiver.start()
            run.school.wait_until(lambda: run.receipts_flow(since_ms), BACK_S, "receipts flow after the wipe")
            run.outcome.kills |= {"receiver": 1, "broker, wiped": 1}
            run.pause(3.0)
            return run.close()
    except Trouble as error:
        return trouble(run.outcome, error)


def image(folder: Path, options: Options) -> Outcome:
    """A box restored from an image taken ten seconds before."""
    return _image(Run(folder, options, "image"))


def _image(run: Run) -> Outcome:
    try:
        with run.going():
            run.wait_writing()
            from_ms = time.time_ns() // 1_000_000
            run.school.image(run.own / "image")
            run.pause(IMAGE_AGE_S)
            run.school.put_back(run.own / "image")
            run.forgiven_ms = (from_ms - 1_000, time.time_ns() // 1_000_000 + 1_000)
            run.outcome.kills["gateway, put back"] = 1
            run.note_gateway_back()
            run.wait_writing()
            run.pause(3.0)
            return run.close()
    except Trouble as error:
        return trouble(run.outcome, error)


def drained(folder: Path, options: Options) -> Outcome:
    """The gateway dies while it takes ink out of a pen's memory."""
    return _again(Run(folder, options, "drained"), "drain_commit")


def shown(folder: Path, options: Options) -> Outcome:
    """The gateway dies between the coming of ink and its commit."""
    return _again(Run(folder, options, "shown"), "received_not_committed")


def _again(run: Run, name: str) -> Outcome:
    """One point, several times."""
    point = next(p for p in POINTS if p.name == name)
    try:
        with run.going():
            for _ in range(run.options.rounds):
                run.wait_writing()
                _meet(run, point)
            return run.close()
    except Trouble as error:
        return trouble(run.outcome, error)


def removed(what: str) -> Scenario:
    """What finds one protection, with the protection taken away: the same class, the same seed."""

    def scenario(folder: Path, options: Options) -> Outcome:
        of: dict[str, tuple[str, Callable[[Run], Outcome]]] = {
            "delete_before_commit": ("drained", lambda run: _again(run, "drain_commit")),
            "delete_on_puback": ("wiped", _wiped),
            "epoch_in_database": ("image", _image),
            "journal_after_screen": ("shown", lambda run: _again(run, "received_not_committed")),
        }
        name, go = of[what]
        return go(Run(folder, dataclasses.replace(options, air=False), name, without=what))

    return scenario


SCENARIOS: Final[dict[str, Scenario]] = {
    "kills": kills,
    "points": points,
    "wiped": wiped,
    "image": image,
    "drained": drained,
    "shown": shown,
    **{f"without_{what}": removed(what) for what in REMOVALS},
}

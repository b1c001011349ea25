"""`pens decode`: what a pen said, one notification a line in hex, as JSON lines.

Listens only, so it takes ink from the first line on, without a hello. One line out for each thing the pen told, in
order. Beside the kinds of events that others rely on there are `answer` (a reply that has no kind of its own; where
`ok` is false because the pen refused, `payload` begins with its result byte), `memory` (which notes lie in the pen),
`image_error`, and `oddity` (bytes inside a message that are wrong, such as a stored dot with a wrong sum). A message
that is too short is `unknown`. Copies of notifications and damaged frames print nothing; how many there were stands at
the end on stderr.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import click

from devices import events as told
from devices.neo.framing import REPLY_BIT
from devices.neo.session import NeoSession

WRONG_USE: Final = 2
_FRAMING: Final = frozenset({"noise", "cut", "too_long", "damaged"})
_TOLD_AT_THE_END: Final = ("duplicates", "frames_cut", "frames_damaged", "frames_too_long", "noise")
_NAMES: Final[dict[type, str]] = {
    told.PenDown: "pen_down",
    told.PageChanged: "page",
    told.Dot: "dot",
    told.Hover: "hover",
    told.PenUp: "pen_up",
    told.Lost: "lost",
    told.Version: "version",
    told.PenSettings: "settings",
    told.PasswordState: "password",
    told.Battery: "battery",
    told.PowerOff: "power_off",
    told.ImageError: "image_error",
    told.MemoryListed: "memory",
    told.Answered: "answer",
}
_SHOWN_OF_A_LINE: Final = 40


def decode_lines(
    lines: Iterable[str],
    *,
    session: NeoSession | None = None,
    on_bad_line: Callable[[int, str], None] | None = None,
) -> Iterator[dict[str, object]]:
    """Decode notifications in hex, one a line, to events as JSON objects.

    Args:
        lines: Hex digits, with spaces or without; blank lines are skipped.
        session: The session to listen with, to read its counts afterwards; a lenient one.
        on_bad_line: Called with the number (from 1) and text of each line that is no hex; the others are decoded.
    """
    listening = session or NeoSession(lenient=True)
    for number, line in enumerate(lines, 1):
        try:
            data = bytes.fromhex(line.removeprefix("\ufeff"))
        except ValueError:
            if on_bad_line is not None:
                on_bad_line(number, line.strip())
            continue
        for event in listening.receive(data, now_ms=0):
            shown = to_json(event)
            if shown is not None:
                yield shown


def to_json(event: told.PenEvent) -> dict[str, object] | None:
    """One event as a JSON object; None for what no message told."""
    if isinstance(event, told.OfflineStroke):
        return _offline(event)
    if isinstance(event, told.Oddity):
        return _oddity(event)
    name = _NAMES.get(type(event))
    return None if name is None else {"event": name, **_fields(event)}


def told_at_the_end(counts: Mapping[str, int]) -> None:
    """Say on stderr what printed nothing, and how often there was any."""
    found = [f"{name} {counts[name]}" for name in _TOLD_AT_THE_END if counts[name]]
    if found:
        click.echo("not shown: " + ", ".join(found), err=True)


def _fields(event: tuple[object, ...]) -> dict[str, object]:
    match event:
        case told.Dot():
            return _dot(event)
        case told.PenDown(time_ms, tip, color):
            return {"time_ms": time_ms, "tip": tip, "color": _color(color)}
        case told.PenUp(time_ms):
            return {"time_ms": time_ms}
        case told.Hover(time_ms, x, y):
            return {"time_ms": time_ms, "x": x / 100, "y": y / 100}
        case told.MemoryListed(notes):
            return {"notes": [dict(zip(("section", "owner", "note"), note, strict=True)) for note in notes]}
        case _:
            return _as_told(event)


def _as_told(event: tuple[object, ...]) -> dict[str, object]:
    match event:
        case told.Lost(events):
            return {"count": events}
        case told.Answered(command, ok, payload):
            return {"command": command | REPLY_BIT, "ok": ok, "payload": payload.hex()}
        case _:
            fields: tuple[str, ...] = getattr(type(event), "_fields", ())
            return dict(zip(fields, event, strict=True))


def _dot(dot: told.Dot) -> dict[str, object]:
    return {
        "time_ms": dot.time_ms,
        "x": dot.x_hundredths / 100,
        "y": dot.y_hundredths / 100,
        "force": dot.force,
        "tilt_x": dot.tilt_x,
        "tilt_y": dot.tilt_y,
        "twist": dot.twist,
    }


def _offline(stroke: told.OfflineStroke) -> dict[str, object]:
    return {
        "event": "offline_stroke",
        **stroke.page._asdict(),
        "tip": stroke.tip,
        "color": _color(stroke.color),
        "down_ms": stroke.down_ms,
        "up_ms": stroke.up_ms,
        "dots": [_dot(dot) for dot in stroke.dots],
    }


def _oddity(oddity: told.Oddity) -> dict[str, object] | None:
    if oddity.kind in _FRAMING:
        return None
    raw = {"command": oddity.command, "payload": oddity.payload.hex()}
    if oddity.kind in {"unknown", "malformed"}:
        return {"event": "unknown", **raw}
    return {"event": "oddity", "kind": oddity.kind, **raw}


def _color(argb: int) -> str:
    return f"#{argb:08X}"


@click.command()
def decode() -> int:
    """Notifications of a pen as hex, one a line, from stdin; its events as JSON lines to stdout.

    Exits 2 if a line was no hex; the other lines are decoded all the same.
    """
    session = NeoSession(lenient=True)
    bad: list[int] = []

    def on_bad_line(number: int, line: str) -> None:
        bad.append(number)
        shown = line if len(line) <= _SHOWN_OF_A_LINE else line[:_SHOWN_OF_A_LINE] + "…"
        click.echo(f"line {number} is not hex: {shown!r}; one notification a line, two digits a byte", err=True)

    lines = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    for event in decode_lines(lines, session=session, on_bad_line=on_bad_line):
        click.echo(json.dumps(event))
    told_at_the_end(session.counts)
    return WRONG_USE if bad else 0

"""Results as a school makes them, for `bench sync`: every id and every ink hash is another."""

import hashlib
from typing import Final

from sync.messages import Result, Row, result_id

BOX: Final = "box-1"
_PUPILS: Final = 48
_FIELDS: Final = 20
_MADE_MS: Final = 1_790_000_000_000
_EVERY_MS: Final = 120


def made_result(number: int) -> Result:
    """Answer `number`: 48 pupils answer 20 fields a lesson, one after another."""
    lesson, rest = divmod(number, _PUPILS * _FIELDS)
    pupil, field = _hash(f"pupil {rest % _PUPILS}")[:16], f"q{rest // _PUPILS + 1}"
    right = number % 3 > 0
    return Result(
        v=1,
        id=result_id("bench", f"lesson-{lesson}", field, pupil),
        rev=1,
        box=BOX,
        lesson=f"lesson-{lesson}",
        sheet="arithmetic-3",
        sheet_rev=2,
        field=field,
        pupil=pupil,
        state="answered",
        value=str(number % 99),
        points=float(right),
        max_points=1.0,
        confidence=0.9 + number % 97 / 1000,
        reader="characters-1",
        key="1",
        ink=_hash(f"ink {number}")[:32],
        decided_by="reader",
        coverage=1.0,
        at_ms=_MADE_MS + _EVERY_MS * number,
        clock="trusted",
    )


def short_row(number: int) -> str:
    """A row with the least that tells an answer, as `reference/sync.md` counts its bytes: ids that only count."""
    body = (
        f'{{"pupil":"{number * 7919:016x}","item":"m3-{number % 999:04}","answer":"{number % 99}",'
        f'"score":{number % 2},"confidence":0.97}}'
    )
    return Row(id=f"r{number}", rev=1, day="2026-11-25", body=body).to_json()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

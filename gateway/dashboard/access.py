"""Who may look: a PIN of six digits, a signed cookie, and a brake on guessing. Pure but for the drawing of secrets.

A wrong PIN counts against the client's address and against all clients together: a class of forty guessing at once is
braked as one. Whoever is in stays in while others are locked out.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from gateway import clock

Role: TypeAlias = Literal["teacher"]

COOKIE: Final = "inkgate"
COOKIE_MS: Final = 8 * 3600 * 1000
TRIES: Final = 5
"""Wrong PINs of one client before it must wait."""
TRIES_OF_ALL: Final = 40
"""Wrong PINs of all clients in `OF_ALL_MS` before everybody must wait: 240 an hour leave a PIN safe for a year."""
OF_ALL_MS: Final = 10 * 60 * 1000
FIRST_WAIT_MS: Final = 30_000
LONGEST_WAIT_MS: Final = 15 * 60 * 1000
_CLIENTS_KEPT: Final = 1_000


def new_pin() -> str:
    """A PIN of six digits, drawn anew."""
    return f"{secrets.randbelow(1_000_000):06d}"


@dataclass(frozen=True, slots=True)
class LetIn:
    """The PIN was right."""

    cookie: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """The PIN was wrong; so many tries are left before a wait."""

    left: int


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many wrong PINs; nothing is compared until then."""

    wait_s: int


@dataclass(slots=True)
class _Client:
    wrong: int = 0
    locked_until_ms: int = 0
    last_ms: int = 0


@dataclass(slots=True)
class Access:
    """The door of the page."""

    pin: str
    names: Sequence[str]
    """Host names that the page answers to, besides the address that was connected to."""
    now_ms: Callable[[], int] = clock.now_ms
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """Signs cookies; a new key at each start sends everybody back to the PIN."""
    _clients: dict[str, _Client] = field(default_factory=dict)
    _wrong_ms: list[int] = field(default_factory=list)

    def try_pin(self, client: str, pin: str) -> LetIn | Wrong | Locked:
        """One try of a client, known by its address."""
        now = self.now_ms()
        known = self._clients.setdefault(client, _Client())
        known.last_ms = now
        self._wrong_ms = [at for at in self._wrong_ms if now - at < OF_ALL_MS]
        until = known.locked_until_ms
        if len(self._wrong_ms) >= TRIES_OF_ALL:
            until = max(until, self._wrong_ms[-TRIES_OF_ALL] + OF_ALL_MS)
        if until > now:
            return Locked(-((now - until) // 1000))
        if hmac.compare_digest(pin.encode(), self.pin.encode()):
            del self._clients[client]
            return LetIn(self._sign("teacher", now + COOKIE_MS))
        known.wrong += 1
        self._wrong_ms.append(now)
        self._forget_oldest()
        if known.wrong < TRIES:
            return Wrong(TRIES - known.wrong)
        wait_ms = min(FIRST_WAIT_MS << (known.wrong - TRIES), LONGEST_WAIT_MS)
        known.locked_until_ms = now + wait_ms
        return Locked(wait_ms // 1000)

    def role(self, cookie: str | None) -> Role | None:
        """Whose cookie this is; None for none, a forged or an old one."""
        name, _, rest = (cookie or "").partition(".")
        until, _, _ = rest.partition(".")
        if name != "teacher" or not until.isascii() or not until.isdigit() or len(until) > 16:  # noqa: PLR2004  a time in ms
            return None
        right = self._sign("teacher", int(until))
        if not hmac.compare_digest(right.encode(), (cookie or "").encode()) or int(until) <= self.now_ms():
            return None
        return "teacher"

    def _sign(self, role: Role, until_ms: int) -> str:
        said = f"{role}.{until_ms}"
        return f"{said}.{hmac.new(self.key, said.encode(), hashlib.sha256).hexdigest()}"

    def _forget_oldest(self) -> None:
        if len(self._clients) > _CLIENTS_KEPT:
            oldest = min(self._clients, key=lambda name: self._clients[name].last_ms)
            del self._clients[oldest]

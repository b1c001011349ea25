"""The Check screen's side of the server: the stack of what the reader is unsure of, and what the teacher decides of it.

One address: GET tells the stack, POST takes a decision, a skip or an undo and answers with the stack as it is then. As
everywhere it needs the cookie, and a POST comes from a page of ours or is refused. Codes cross, never sentences.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.dashboard.source import FieldBox
from gateway.errors import GatewayError

PATH: Final = "/api/check"
_LONGEST_ORDER: Final = 1 << 16
_LATER: Final = "check.later"


@dataclass(frozen=True, slots=True)
class Guess:
    """A value that may stand there, and what it would be worth."""

    value: str
    points: float | None
    """None where the key does not say: a person must."""


@dataclass(frozen=True, slots=True)
class InkView:
    """The ink of one answer."""

    seat: int
    ink: str
    """Its hash: what is decided is this ink and no other."""
    strokes: Sequence[Sequence[int]]
    """Each x, y, x, y, ... in hundredths of a millimetre on the sheet's page; none where the ink is not at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Answers that look alike: one decision."""

    id: str
    field: FieldBox
    prompt: Mapping[str, str]
    kind: str
    key: str | None
    max_points: float
    guesses: Sequence[Guess]
    """At most two, the likelier first."""
    reasons: Sequence[str]
    inks: Sequence[InkView]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A decision that an undo would take back."""

    label: str
    kind: str
    value: str | None
    points: float | None
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """The stack of one lesson, the next group first."""

    lesson: str
    """Empty where there was none yet."""
    remain: int
    """Answers that nobody has decided."""
    groups: Sequence[GroupView]
    undo: DecisionView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an order did."""

    answers: int
    left: int = 0
    """Of an undo: answers that have changed since and stay as they are."""


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page asks for."""

    do: Literal["decide", "skip", "undo"]
    lesson: str
    field: str = ""
    inks: dict[int, str] = msgspec.field(default_factory=dict)
    """By seat, the hash of the ink that was looked at."""
    value: str | None = None
    verdict: Literal["right", "wrong"] | None = None


class Checking(Protocol):
    """Who knows the stack and takes decisions. What it refuses is a `GatewayError`, with its code as `said`."""

    async def stack(self, lesson: str | None = None) -> CheckView:
        """The stack of a lesson; of the one that runs or ran last, where none is named."""
        ...

    async def take(self, order: Order) -> Done:
        """Do what the page asks for."""
        ...


class CheckRoutes:
    """The routes."""

    def __init__(
        self,
        checking: Checking,
        *,
        knows: Callable[[HTTPConnection], bool],
        same_origin: Callable[[HTTPConnection], bool],
    ) -> None:
        self._checking, self._knows, self._same_origin = checking, knows, same_origin

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route(PATH, self.look), Route(PATH, self.order, methods=["POST"])]

    async def look(self, request: Request) -> Response:
        """The stack."""
        if not self._knows(request):
            return JSONResponse({"code": "login.needed"}, 401)
        try:
            return _said({"check": await self._checking.stack()})
        except GatewayError as error:
            return _refused(error)

    async def order(self, request: Request) -> Response:
        """One decision, skip or undo."""
        if not self._knows(request):
            return JSONResponse({"code": "login.needed"}, 401)
        if not self._same_origin(request):
            return JSONResponse({"code": "check.unreadable"}, 403)
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_ORDER:
                return JSONResponse({"code": "check.unreadable"}, 413)
        try:
            order = msgspec.json.decode(body, type=Order)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return JSONResponse({"code": "check.unreadable"}, 400)
        try:
            done = await self._checking.take(order)
            return _said({"done": done, "check": await self._checking.stack()})
        except GatewayError as error:
            return _refused(error)


def _said(content: Mapping[str, object]) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _refused(error: GatewayError) -> Response:
    """409 where the order or its time was wrong, with the sentence's code; whatever else stops it may pass."""
    code = getattr(error, "said", None)
    if code is None:
        return JSONResponse({"code": _LATER, "params": {}}, 503)
    return JSONResponse({"code": code, "params": getattr(error, "params", {})}, 409)

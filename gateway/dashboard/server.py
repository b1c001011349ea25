"""The page's server: static files, a PIN, and one WebSocket a page. It composes nothing: `DashboardSource` tells.

Refuses what a page of another origin could ask: unknown host names (421), a WebSocket or a form of a foreign Origin,
and any script, style or request that is not its own (Content-Security-Policy).
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.dashboard.access import COOKIE, COOKIE_MS, Access, LetIn, Locked
from gateway.dashboard.check import Checking, CheckRoutes
from gateway.dashboard.feed import Feed, Mailbox
from gateway.dashboard.source import DashboardSource
from gateway.dashboard.views import QuestionsMessage, box_message, seats_message
from gateway.words import CATALOGUE, LANGUAGES

logger = logging.getLogger(__name__)

STATIC: Final = Path(__file__).parent / "static"
STATUS_EVERY_S: Final = 0.5
ALIVE_EVERY: Final = 3
"""Every so many rounds of status a page hears that the box lives, whether or not anything changed."""
_LONGEST_FORM: Final = 256
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with `no-referrer` a browser names no origin on a form of ours
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-cache",
}


class _Guard:
    """Unknown hosts out, security headers on."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if not self._is_known(scope):
            answer = PlainTextResponse("unknown host", 421)
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(answer)
            else:
                await answer(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)

    def _is_known(self, scope: Scope) -> bool:
        host = _host_name(Headers(scope=scope).get("host", ""))
        # The address that was connected to cannot be rebound by a foreign name server, so it is as good as a name.
        return host in self._names or host == (scope.get("server") or ("",))[0]


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


class _Pages:
    """The routes."""

    def __init__(self, source: DashboardSource, feed: Feed, access: Access) -> None:
        self._source, self._feed, self._access, self._now_ms = source, feed, access, access.now_ms

    def routes(self) -> list[Route | Mount | WebSocketRoute]:
        """All of them."""
        return [
            Route("/", self.page),
            Route("/login", self.login, methods=["POST"]),
            Route("/logout", self.logout, methods=["POST"]),
            Route("/words/{language}.json", self.words),
            Route("/api/session", self.session),
            Route("/api/seats/{seat:int}", self.pupil),
            Route("/favicon.ico", self.icon),
            Route("/livez", self.livez),
            Route("/readyz", self.readyz),
            WebSocketRoute("/feed", self.feed),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    async def page(self, request: Request) -> Response:
        """The teacher's page, or the PIN."""
        return FileResponse(STATIC / ("index.html" if self.knows(request) else "login.html"))

    async def login(self, request: Request) -> Response:
        """One try of a PIN; the answer is a way to go, so that it needs no script."""
        if not _same_origin(request):
            return PlainTextResponse("foreign origin", 403)
        form = b""
        async for piece in request.stream():
            form += piece
            if len(form) > _LONGEST_FORM:
                return PlainTextResponse("too long", 413)
        pin = parse_qs(form.decode("ascii", "replace")).get("pin", [""])[0].strip()
        verdict = self._access.try_pin(request.client.host if request.client else "", pin)
        if isinstance(verdict, LetIn):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, verdict.cookie, max_age=COOKIE_MS // 1000, httponly=True, samesite="strict")
            return answer
        if isinstance(verdict, Locked):
            logger.warning("login locked for %s s after wrong PINs", verdict.wait_s)
            return RedirectResponse("/?" + urlencode({"said": "login.locked", "n": verdict.wait_s}), 303)
        return RedirectResponse("/?" + urlencode({"said": "login.wrong", "n": verdict.left}), 303)

    async def logout(self, request: Request) -> Response:
        """Forget the cookie."""
        if not _same_origin(request):
            return PlainTextResponse("foreign origin", 403)
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def words(self, request: Request) -> Response:
        """A catalogue."""
        language = request.path_params["language"]
        if language not in LANGUAGES:
            return PlainTextResponse("unknown language", 404)
        return FileResponse(CATALOGUE / f"{language}.json", media_type="application/json")

    async def icon(self, request: Request) -> Response:
        """For a browser that asks at the old place."""
        del request
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")

    async def session(self, request: Request) -> Response:
        """Whose cookie came; a page whose feed is refused asks it, because a browser hides why."""
        return JSONResponse({"role": self._access.role(request.cookies.get(COOKIE))})

    async def pupil(self, request: Request) -> Response:
        """One pupil's answers."""
        if not self.knows(request):
            return JSONResponse({"code": "login.needed"}, 401)
        view = self._source.pupil(request.path_params["seat"])
        if view is None:
            return JSONResponse({"code": "seat.unknown"}, 404)
        return Response(msgspec.json.encode(view), media_type="application/json")

    async def livez(self, request: Request) -> Response:
        """The loop turns."""
        del request
        return JSONResponse({"live": True})

    async def readyz(self, request: Request) -> Response:
        """Whether a lesson can be held: the store takes ink. Offline is ready."""
        del request
        status = self._source.status()
        said = box_message(status, len(self._source.seats()))
        answer = {"ready": status.durable, "codes": [warning.code for warning in said.warnings]}
        return JSONResponse(answer, 200 if status.durable else 503)

    async def feed(self, socket: WebSocket) -> None:
        """One page's live feed."""
        if not self.knows(socket) or not _same_origin(socket):
            await socket.close(4403)
            return
        await socket.accept()
        mailbox = self._feed.join()
        sending = asyncio.create_task(self._send(socket, mailbox))
        try:
            while True:
                if await socket.receive_text() == "snapshot":
                    mailbox.want_snapshot()
        except (WebSocketDisconnect, KeyError):  # KeyError: a page sent bytes, which no page of ours does
            pass
        finally:
            self._feed.leave(mailbox)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    async def _send(self, socket: WebSocket, mailbox: Mailbox) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):  # the page went while it was told
            while True:
                if mailbox.snapshot_wanted:
                    await self._send_snapshot(socket, mailbox)
                message = mailbox.take()
                if message is None:
                    await mailbox.wait()
                elif isinstance(message, bytes):
                    await socket.send_bytes(message)
                else:
                    await socket.send_text(message)

    async def _send_snapshot(self, socket: WebSocket, mailbox: Mailbox) -> None:
        mailbox.snapshot_wanted = False
        mailbox.clear()
        self._tell()
        texts = self._feed.texts()
        seq, strokes = self._source.snapshot()
        for text in texts:
            await socket.send_text(text)
        for frame in self._feed.snapshot_frames(seq, strokes):
            await socket.send_bytes(frame)
            await asyncio.sleep(0)

    async def keep_telling(self) -> None:
        """Tell the pages what changed, twice a second, and that the box lives."""
        rounds = 0
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            rounds += 1
            if not self._feed.pages:
                continue
            try:
                self._tell()
            except Exception:  # the edge of a task: whatever failed, the pages stay and the log says what
                logger.exception("the pages could not be told how it goes")
            if rounds % ALIVE_EVERY == 0:
                self._feed.say(msgspec.json.encode({"t": "alive", "box_ms": self._now_ms()}).decode())

    def _tell(self) -> None:
        seats = self._source.seats()
        now_ms = self._now_ms()
        messages = (
            box_message(self._source.status(), len(seats)),
            seats_message(seats, now_ms),
            QuestionsMessage(len(seats), self._source.questions()),
        )
        for message in messages:
            self._feed.tell(message.t, msgspec.json.encode(message).decode())

    def knows(self, connection: HTTPConnection) -> bool:
        """Whether a teacher asks."""
        return self._access.role(connection.cookies.get(COOKIE)) == "teacher"


def _same_origin(connection: HTTPConnection) -> bool:
    """Whether the request comes from a page of ours. A browser names the origin of every form and WebSocket."""
    origin = connection.headers.get("origin", "")
    return origin.partition("://")[2] == connection.headers.get("host", "")


def build_app(
    source: DashboardSource,
    feed: Feed,
    access: Access,
    checking: Checking,
) -> ASGIApp:
    """The page as an ASGI application; it tells its pages what changed for as long as it is served."""
    pages = _Pages(source, feed, access)
    check = CheckRoutes(checking, knows=pages.knows, same_origin=_same_origin)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        del app
        telling = asyncio.create_task(pages.keep_telling())
        yield
        telling.cancel()

    return _Guard(Starlette(routes=[*check.routes(), *pages.routes()], lifespan=life), access.names)


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say when it is so."""
        await super().startup(sockets=sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the gateway."""
        yield


class Serving:
    """A server that runs in this loop."""

    def __init__(self, server: uvicorn.Server, task: "asyncio.Task[None]", host: str, port: int) -> None:
        self._server, self._task = server, task
        self.host, self.port = host, port

    @property
    def url(self) -> str:
        """Where the page is."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104  compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    async def close(self) -> None:
        """Stop; pages are told to come back later."""
        self._server.should_exit = True
        await self._task


async def serve(app: ASGIApp, host: str, port: int) -> Serving:
    """Serve until closed; port 0 takes a free one.

    Raises:
        OSError: The address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=64)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=1024,
        timeout_graceful_shutdown=2,
    )
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait({up, task}, return_when=asyncio.FIRST_COMPLETED)
    up.cancel()
    if task.done():
        await task
        raise OSError(f"the page could not be served on {host}:{port}")
    return Serving(server, task, host, int(listening.getsockname()[1]))

"""Who looks on during a chaos run: a page of the dashboard that keeps what it was shown, and a subscriber to all MQTT.

Each runs in a thread of its own and comes back by itself when what it looks at dies.
"""

import contextlib
import struct
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Origin

from gateway.dashboard.frames import Kind, unpack
from gateway.dashboard.source import LiveChunk

_AGAIN_S: Final = 0.1
_RECORD: Final = struct.Struct("<I")
_LONGEST_STEP_MS: Final = 255
"""A step that a frame clamps."""
PUBLISHED: Final = struct.Struct("<HI")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  urllib's own call
        """The cookie is in the answer that redirects."""


class Page:
    """A page that looks on: logs in by PIN, follows the feed, and keeps every frame of live ink as it came."""

    def __init__(self, demo: Path, frames: Path) -> None:
        self._demo, self._path = demo, frames
        self._file = frames.open("ab")
        self._end = threading.Event()
        self.connections = 0
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Begin to look on."""
        self._thread.start()

    def stop(self) -> None:
        """Look away; all that was shown is in the file. A second time changes nothing."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(20)
        self._file.close()

    def _run(self) -> None:
        while not self._end.wait(_AGAIN_S):
            with contextlib.suppress(OSError, WebSocketException, ValueError, TimeoutError):
                self._follow()

    def _follow(self) -> None:
        url, pin = self._where()
        cookie = _log_in(url, pin)
        address = url.replace("http://", "ws://") + "feed"
        origin = Origin(url.rstrip("/"))
        with connect(address, additional_headers={"Cookie": cookie}, origin=origin, max_size=None) as feed:
            self.connections += 1
            while not self._end.is_set():
                try:
                    message = feed.recv(timeout=0.5)
                except TimeoutError:
                    continue
                if isinstance(message, bytes):
                    self._file.write(_RECORD.pack(len(message)) + message)
                    self._file.flush()

    def _where(self) -> tuple[str, str]:
        settings = (self._demo / "gateway.toml").read_text(encoding="utf-8")
        port = next(line for line in settings.partition("[dashboard]")[2].splitlines() if line.startswith("port"))
        return f"http://127.0.0.1:{int(port.split('=')[1])}/", (self._demo / "pin").read_text(encoding="ascii").strip()


def _log_in(url: str, pin: str) -> str:
    form = urllib.parse.urlencode({"pin": pin}).encode()
    request = urllib.request.Request(url + "login", form, {"Origin": url.rstrip("/")})  # noqa: S310  loopback
    try:
        urllib.request.build_opener(_NoRedirect).open(request, timeout=5).close()
    except urllib.error.HTTPError as answer:
        with answer:
            cookie = answer.headers.get("set-cookie")
        if cookie:
            return str(cookie).partition(";")[0]
    raise OSError("the page did not let us in")


class Shown(NamedTuple):
    """One chunk of live ink that a page was shown."""

    seq: int
    seat: int
    times_ms: list[int]
    """When its dots were made; those behind a step too long for a frame are left out."""


def shown(path: Path) -> Iterator[Shown]:
    """What a page was shown live, in order; a frame that was cut by the end is left out."""
    data = path.read_bytes()
    at = 0
    while at + _RECORD.size <= len(data):
        size = _RECORD.unpack_from(data, at)[0]
        at += _RECORD.size
        if at + size > len(data):
            return
        frame = unpack(data[at : at + size])
        at += size
        if frame.kind is Kind.LIVE:
            for chunk in frame.chunks:
                yield Shown(frame.seq, chunk.seat, _times(chunk))


def _times(chunk: LiveChunk) -> list[int]:
    times, at_ms = [], chunk.at_ms
    for index, (_, _, _, step_ms) in enumerate(chunk.dots):
        if index:
            if step_ms >= _LONGEST_STEP_MS:
                break
            at_ms += step_ms
        times.append(at_ms)
    return times


class Tap:
    """Everything that goes over the broker, kept as it came."""

    def __init__(self, port: int, path: Path) -> None:
        self._file = path.open("ab")
        self.messages = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="tap", protocol=mqtt.MQTTv311)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect_async("127.0.0.1", port, keepalive=10)

    def start(self) -> None:
        """Begin to listen."""
        self._client.loop_start()

    def stop(self) -> None:
        """Listen no more. A second time changes nothing."""
        self._client.disconnect()
        self._client.loop_stop()
        self._file.close()

    def _on_connect(self, *_: object) -> None:
        self._client.subscribe("#", qos=1)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        topic = message.topic.encode()
        self._file.write(PUBLISHED.pack(len(topic), len(message.payload)) + topic + message.payload)
        self._file.flush()
        self.messages += 1


def tapped(path: Path) -> Iterator[tuple[str, bytes]]:
    """What a tap heard: topics and payloads."""
    data = path.read_bytes()
    at = 0
    while at + PUBLISHED.size <= len(data):
        topic, payload = PUBLISHED.unpack_from(data, at)
        at += PUBLISHED.size
        yield data[at : at + topic].decode("utf-8", "replace"), data[at + topic : at + topic + payload]
        at += topic + payload

"""Frames that many tests send: note 3/27/603, base time 1700000000000 ms."""

from devices.events import PenEvent
from devices.neo.framing import frame
from devices.neo.messages import NotesOfInterestReply, SettingsReply, VersionReply
from devices.neo.messages_control import SettingAnswer
from devices.neo.session import NeoSession
from devices.neo.wire import to_frame

BASE_MS = 1_700_000_000_000
NOW_MS = BASE_MS + 5
MAC = "9C:7B:D2:01:02:03"

D0 = bytes.fromhex("c0690e00000068e5cf8b01000000000000ffc1")
P1 = bytes.fromhex("c06b0d00011b0000035b02000005000000c1")
X2 = bytes.fromhex("c06c0e000200c80014001e0019325a64b400c1")
X3 = bytes.fromhex("c06c0e00030c2c0114001f004b005a64b400c1")
U4 = bytes.fromhex("c06a1300042868e5cf8b01000002000200020002000200c1")

HELLO = VersionReply(
    model="NWP-F51", firmware="1.05.0158", protocol="2.18", name="Smartpen", mac=bytes.fromhex("9c7bd2010203")
)
SETTINGS = SettingsReply(clock_ms=BASE_MS)
HELLO_FRAME = to_frame(HELLO)
SETTINGS_FRAME = to_frame(SETTINGS)
CLOCK_FRAME = to_frame(SettingAnswer(1, 0))
NOTES_FRAME = to_frame(NotesOfInterestReply())


def dot(count: int, delta_ms: int = 10, x: int = 20) -> bytes:
    """A plain dot at (x, 30)."""
    return frame(0x6C, bytes((count, delta_ms, 100, 0, x, 0, 30, 0, 0, 0, 90, 100, 180, 0)))


def down(count: int, at_ms: int = BASE_MS) -> bytes:
    """A pen-down with the black tip."""
    return frame(0x69, bytes((count,)) + at_ms.to_bytes(8, "little") + bytes.fromhex("00000000ff"))


def fed(session: NeoSession, *notifications: bytes, now_ms: int = NOW_MS) -> list[PenEvent]:
    """All events that these notifications end."""
    return [event for data in notifications for event in session.receive(data, now_ms=now_ms)]


def linked(hello: bytes = HELLO_FRAME) -> NeoSession:
    """A session whose handshake is over."""
    session = NeoSession()
    session.start(now_ms=NOW_MS)
    fed(session, hello, SETTINGS_FRAME, CLOCK_FRAME, NOTES_FRAME)
    session.data_to_send()
    return session

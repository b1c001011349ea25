"""A link to a pen that answers as pens do: a hello, settings, yes to its clock and the notes; its memory is empty."""

from devices.errors import LinkError
from devices.neo.framing import Deframer, Frame
from devices.neo.messages import (
    NotesOfInterest,
    NotesOfInterestReply,
    SettingsReply,
    SettingsRequest,
    VersionReply,
    VersionRequest,
)
from devices.neo.messages_control import PasswordReply, PasswordRequest, PasswordStatus, SetSetting, SettingAnswer
from devices.neo.messages_ink import CountedDot, CountedDown, CountedPage, CountedUp, DotRecord
from devices.neo.messages_memory import MemoryNotesReply, MemoryNotesRequest
from devices.neo.wire import Message, NoteAddress, to_frame
from devices.transport import Arrival
from recognition.pages import UNIT_MM, PageAddress


class PenLink:
    """One link to one pen; what it says arrives at the times that the test gives."""

    def __init__(self, mac: str, *, at_ms: int, name: str = "Smartpen", locked_with: str = "") -> None:
        self.mac, self.at_ms, self.name = mac, at_ms, name
        self.password, self.battery = locked_with, 80
        self.passwords_tried: list[str] = []
        self.is_open = True
        self.settings_made: list[SetSetting] = []
        self._arrived: list[Arrival] = []
        self._deframer = Deframer()
        self._count = 0
        self._dots = 0

    def take(self) -> list[Arrival]:
        """As `Transport`."""
        out, self._arrived = self._arrived, []
        return out

    async def write(self, data: bytes) -> None:
        """As `Transport`: requests are answered at once."""
        if not self.is_open:
            raise LinkError("gone")
        for found in self._deframer.feed(data):
            if isinstance(found, Frame):
                self._answer(found)

    async def close(self) -> None:
        """As `Transport`."""
        self.is_open = False

    def down(self, at_ms: int, page: PageAddress) -> None:
        """The tip touches a page."""
        self.at_ms, self._dots = at_ms, 0
        self._say(CountedDown(count=self._next(), time_ms=at_ms))
        self.turn(page)

    def turn(self, page: PageAddress) -> None:
        """The dots that follow are on this page."""
        self._say(CountedPage(self._next(), NoteAddress(*page[:3]), page.page))

    def dot(self, x_mm: float, y_mm: float, *, delta_ms: int = 10, force: int = 300) -> None:
        """One dot, so many ms after the one before."""
        self.at_ms += delta_ms
        self._dots += 1
        x, y = round(x_mm / UNIT_MM * 100), round(y_mm / UNIT_MM * 100)
        self._say(CountedDot(self._next(), DotRecord(delta_ms=delta_ms, force=force, x_hundredths=x, y_hundredths=y)))

    def up(self) -> None:
        """The tip leaves the paper."""
        self._say(CountedUp(count=self._next(), time_ms=self.at_ms, dots_sent=self._dots))

    def stroke(self, at_ms: int, page: PageAddress, *points: tuple[float, float]) -> None:
        """A whole stroke through these points, mm."""
        self.down(at_ms, page)
        for x_mm, y_mm in points:
            self.dot(x_mm, y_mm)
        self.up()

    def lose(self, events: int) -> None:
        """So many counted events never arrive."""
        self._count += events

    def hex(self, *lines: str) -> None:
        """Notifications as they are."""
        self._arrived += [Arrival(self.at_ms, bytes.fromhex(line)) for line in lines]

    def _next(self) -> int:
        count = self._count % 256
        self._count += 1
        return count

    def _answer(self, asked: Frame) -> None:
        if asked.command == VersionRequest.COMMAND:
            mac = bytes.fromhex(self.mac.replace(":", ""))
            self._say(VersionReply(model="NWP-F51", firmware="1.05", protocol="2.18", name=self.name, mac=mac))
        elif asked.command == SettingsRequest.COMMAND:
            self._say(SettingsReply(clock_ms=self.at_ms, locked=bool(self.password), battery_percent=self.battery))
        elif asked.command == PasswordRequest.COMMAND:
            self.passwords_tried.append(PasswordRequest.unpack(asked.payload).password)
            right = self.passwords_tried[-1] == self.password
            status = PasswordStatus.ACCEPTED if right else PasswordStatus.WRONG
            self._say(PasswordReply(status, 0 if right else len(self.passwords_tried), 10))
        elif asked.command == SetSetting.COMMAND:
            made = SetSetting.unpack(asked.payload)
            self.settings_made.append(made)
            self._say(SettingAnswer(made.kind, 0))
        elif asked.command == NotesOfInterest.COMMAND:
            self._say(NotesOfInterestReply())
        elif asked.command == MemoryNotesRequest.COMMAND:
            self._say(MemoryNotesReply(()))

    def _say(self, message: Message) -> None:
        self._arrived.append(Arrival(self.at_ms, to_frame(message)))

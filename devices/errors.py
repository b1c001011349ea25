"""What can go wrong with a pen or a radio, named for what the caller can do about it."""


class DeviceError(Exception):
    """The root of all errors of this package."""


class PenProtocolError(DeviceError, ValueError):
    """The pen sent bytes that its protocol does not allow.

    Attributes:
        data: The offending bytes, whole, for the oddity row and the capture file.
    """

    def __init__(self, message: str, *, data: bytes) -> None:
        super().__init__(message)
        self.data = data


class LinkError(DeviceError, ConnectionError):
    """A link could not be made, or went; try again with a fresh client."""


class RadioFull(LinkError):
    """The adapter has no place left: another adapter, or another radio, is needed."""


class RadioLost(LinkError):
    """The adapter is gone or does not answer: wait for it to come back."""

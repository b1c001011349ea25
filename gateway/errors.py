"""What can go wrong on the box. Each error knows the exit code that a command ends with, and says what to do."""

from typing import ClassVar


class GatewayError(Exception):
    """The root of all errors of this package; exit code 1."""

    exit_code: ClassVar[int] = 1


class BadSetting(GatewayError, ValueError):
    """A setting is unknown or not allowed; the message names it, its value and what is allowed."""

    exit_code = 78


class StoreBusy(GatewayError, RuntimeError):
    """Another inkgate holds the store."""

    exit_code = 75


class TryLater(GatewayError, RuntimeError):
    """It cannot be done now and may be done later: the disk is full, or somebody else has the store."""

    exit_code = 75


class StoreDamaged(GatewayError, RuntimeError):
    """The store is there and cannot be read. It is never replaced without a word."""

    exit_code = 3


class NotRunning(GatewayError, ConnectionError):
    """No gateway answers on this box: start it with `inkgate run`."""

    exit_code = 69


class Missing(GatewayError, FileNotFoundError):
    """Something that is needed is not there; the message says what brings it."""

    exit_code = 69


class WrongUse(GatewayError, ValueError):
    """What was asked makes no sense here; the message says what would."""

    exit_code = 2


class FoundProblems(GatewayError, ValueError):
    """A file was read and has faults; nothing was written.

    Attributes:
        problems: (where, sentence) of every fault. Never a name or a number of a pupil.
    """

    exit_code = 3

    def __init__(self, what: str, problems: list[tuple[str, str]]) -> None:
        lines = "\n".join(f"  {where}: {sentence}" for where, sentence in problems)
        super().__init__(f"{what}:\n{lines}")
        self.problems = problems

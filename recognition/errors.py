"""What can go wrong with sheets, ink and models."""


class RecognitionError(Exception):
    """The root of all errors of this package."""


class SheetError(RecognitionError, ValueError):
    """A sheet definition cannot be used; `problems` lists every fault as (line or path, sentence)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{where}: {what}" for where, what in problems))
        self.problems = problems


class InkError(RecognitionError, ValueError):
    """Packed ink or an ink line cannot be read."""


class ModelError(RecognitionError, RuntimeError):
    """A model file is missing, damaged or does not give its own stored answers."""

"""What stands there as mathematics, and whether two ways to write it say the same. Knows no sheet, key or pupil."""

from recognition.mathematics.amounts import Amount, read_amount
from recognition.mathematics.equivalence import Judgement, judge
from recognition.mathematics.forms import is_worked_out, same_form
from recognition.mathematics.nodes import Statement, letters_of
from recognition.mathematics.parsing import parse
from recognition.mathematics.tokens import Unreadable
from recognition.mathematics.units import NAMES as UNITS
from recognition.mathematics.units import Unit, unit_named

__all__ = [
    "UNITS",
    "Amount",
    "Judgement",
    "Statement",
    "Unit",
    "Unreadable",
    "is_worked_out",
    "judge",
    "letters_of",
    "parse",
    "read_amount",
    "same_form",
    "unit_named",
]

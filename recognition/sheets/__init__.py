"""What is printed on a page: definition, load, lint."""

from recognition.sheets.definition import Affine, Box, Choice, Field, Kind, Placing, Sheet, SheetPage
from recognition.sheets.loading import bundled, lint, load
from recognition.sheets.written import KeyOptions, Verdict, compare, right_forms

__all__ = [
    "Affine",
    "Box",
    "Choice",
    "Field",
    "KeyOptions",
    "Kind",
    "Placing",
    "Sheet",
    "SheetPage",
    "Verdict",
    "bundled",
    "compare",
    "lint",
    "load",
    "right_forms",
]

"""What is printed on a page: definition, load, lint."""

from recognition.sheets.definition import (
    Affine,
    Alternate,
    Box,
    Choice,
    Field,
    Kind,
    Placing,
    Scoring,
    Sheet,
    SheetPage,
    Step,
)
from recognition.sheets.loading import bundled, from_table, key_table, lint, load, rekeyed
from recognition.sheets.written import KeyOptions, Verdict, compare, right_forms

__all__ = [
    "Affine",
    "Alternate",
    "Box",
    "Choice",
    "Field",
    "KeyOptions",
    "Kind",
    "Placing",
    "Scoring",
    "Sheet",
    "SheetPage",
    "Step",
    "Verdict",
    "bundled",
    "compare",
    "from_table",
    "key_table",
    "lint",
    "load",
    "rekeyed",
    "right_forms",
]

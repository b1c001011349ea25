import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.read import read, request_of
from recognition.errors import InkError

_SEVEN = [(0, 0), (2, -0.1), (4, -0.2), (6, 0), (5.6, 1), (5, 2.5), (4.2, 5), (3.4, 7.2), (2.8, 9)]


def _ink(points: list[tuple[float, float]], *, start_ms: int = 0) -> list[list[float]]:
    return [[x, y, start_ms + 12 * k, 0.5] for k, (x, y) in enumerate(points)]


def _job(**changed: object) -> dict[str, Any]:
    return {"id": 1, "kind": "digit", "strokes": [_ink(_SEVEN)], **changed}


def _said(*lines: object) -> tuple[Result, list[dict[str, Any]]]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    result = CliRunner().invoke(read, input=text, standalone_mode=False)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def test_a_digit_is_read() -> None:
    result, (said,) = _said(_job())
    assert result.return_value == 0
    assert said["id"] == 1
    assert said["value"] == "7"
    assert 0 < said["confidence"] <= 1
    assert said["ms"] > 0
    assert "verdict" not in said


def test_what_is_expected_brings_a_verdict_and_changes_nothing_else() -> None:
    _, (free, right, wrong) = _said(_job(), _job(expected="7"), _job(expected="1"))
    assert free["value"] == right["value"] == wrong["value"]
    assert free["confidence"] == right["confidence"] == wrong["confidence"]
    assert {right["verdict"], wrong["verdict"]} <= {"right", "wrong", "ask"}
    assert wrong["verdict"] != "right"


def _scribbled_out() -> list[list[list[float]]]:
    return [_ink(_SEVEN), _ink([(-1 + k, 9.5 if k % 2 else -0.5) for k in range(9)], start_ms=5000)]


def test_what_was_taken_back_is_told_stroke_by_stroke_and_can_be_undone() -> None:
    _, (plain, out, undone) = _said(_job(), _job(strokes=_scribbled_out()), _job(strokes=_scribbled_out(), keep=[0]))
    assert "roles" not in plain
    assert (out["value"], out["accepted"], out["withdrawn"]) == (None, False, [0, 1])
    assert out["roles"] == [["withdrawn", "scribbled_out", [1]], ["withdrawn", "scribble", []]]
    assert (undone["value"], undone["withdrawn"]) == ("7", [])
    assert undone["roles"] == [["answer", "kept", []], ["note", "undone", []]]


def test_what_stands_in_the_redo_box_is_told() -> None:
    _, (said,) = _said(_job(redo_box=[-2, -2, 10, 12], box=[30, 0, 50, 10]))
    assert said["value"] == "7"
    assert [role for role, _, _ in said["roles"]] == ["redo"]


@pytest.mark.parametrize("kind", ["word", "expression", "pinyin"])
def test_a_kind_that_is_not_read_yet_is_answered_and_not_accepted(kind: str) -> None:
    result, (said,) = _said(_job(kind=kind))
    assert result.return_value == 0
    assert (said["value"], said["accepted"]) == (None, False)
    assert said["reasons"]


def test_a_bad_line_is_told_and_the_others_are_answered() -> None:
    result, said = _said(_job(id="a"), "no json", "", _job(id="b"))
    assert result.return_value == 1
    assert [one["id"] for one in said] == ["a", "b"]
    assert "line 2" in result.stderr


def test_a_bad_request_with_an_id_gets_an_answer_so_that_nobody_waits_for_it() -> None:
    result, (said,) = _said(_job(strokes=[[]]))
    assert result.return_value == 1
    assert (said["id"], said["value"], said["accepted"], said["reasons"]) == (1, None, False, ["bad_request"])


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "digits"},
        {"kind": ["digit"]},
        {"strokes": None},
        {"strokes": [[[1, 2]]]},
        {"strokes": [[[1, 2, 3, 4], [1, 2]]]},
        {"strokes": [[["a", "b", "c", "d"]]]},
        {"strokes": [[[1, float("nan"), 3, 0.5]]]},
        {"strokes": [[[1e30, 2, 3, 0.5]]]},
        {"box": [0, 0, 1]},
        {"box": [5, 0, 1, 9]},
        {"choices": [5]},
        {"choices": "AB"},
        {"expected": 7},
        {"max_digits": 0},
        {"redo_box": [5, 0, 1, 9]},
        {"keep": [1]},
        {"keep": [True]},
        {"keep": 0},
    ],
)
def test_what_is_no_request_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InkError):
        request_of(_job(**changed))


def test_choices_come_as_values_or_with_their_boxes() -> None:
    box = [0, 0, 5, 5]
    request = request_of(_job(kind="choice", choices=["A", ["B", box], {"value": "C", "box": box}, ["D", None]]))
    assert [(choice.value, choice.box_mm is None) for choice in request.choices] == [
        ("A", True),
        ("B", False),
        ("C", False),
        ("D", True),
    ]


def test_a_time_since_1970_keeps_its_milliseconds() -> None:
    request = request_of(_job(strokes=[_ink(_SEVEN, start_ms=1_800_000_000_000)]))
    times = request.strokes[0].points[:, 2]
    assert (times[1:] - times[:-1] == 12).all()
    assert request.strokes[0].pen_down_ms == 1_800_000_000_000


@pytest.mark.slow
def test_each_answer_comes_before_the_next_question() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", "read"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(3):
            child.stdin.write(json.dumps(_job(id=number)) + "\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["id"] == number
        child.stdin.close()
        assert child.wait(10) == 0

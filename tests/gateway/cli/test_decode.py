"""`pens decode` against wire vectors, with expectations written by hand from the protocol's text."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devices.neo.framing import frame
from devices.neo.session import NeoSession
from gateway.cli.decode import decode, decode_lines

DATA = Path(__file__).parents[2] / "data"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((DATA / "neo-expected.json").read_text())
SCENARIOS: dict[str, list[dict[str, Any]]] = {
    scenario["id"]: scenario["steps"] for scenario in json.loads((DATA / "neo-vectors.json").read_text())["scenarios"]
}

D0 = "c0690e00000068e5cf8b01000000000000ffc1"
P1 = "c06b0d00011b0000035b02000005000000c1"
X2 = "c06c0e000200c80014001e0019325a64b400c1"
X3 = "c06c0e00030c2c0114001f004b005a64b400c1"
U4 = "c06a1300042868e5cf8b01000002000200020002000200c1"
BASE_MS = 1_700_000_000_000


def lines_of(scenario: str) -> list[str]:
    return [line for step in SCENARIOS[scenario] for line in step.get("notifications", [])]


def decoded(*lines: str) -> list[dict[str, Any]]:
    return json.loads(json.dumps(list(decode_lines(lines))))  # type: ignore[no-any-return]  # what json.loads gives


def reference_of(scenario: str, step: int) -> list[dict[str, Any]]:
    """What the vendor's parser made of a step."""
    told: list[dict[str, Any]] = SCENARIOS[scenario][step]["reference"]
    return told


def run(text: str | bytes) -> Result:
    """The command, as from a shell; `exit_code` of the result is what it returned."""
    return CliRunner().invoke(decode, input=text, standalone_mode=False)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_scenario_decodes_to_what_the_protocol_says(scenario: str) -> None:
    assert decoded(*lines_of(scenario)) == EXPECTED[scenario]


def test_every_scenario_but_the_profiles_has_an_expectation() -> None:
    assert set(SCENARIOS) - set(EXPECTED) == {"profile"}


@pytest.mark.parametrize("size", [1, 3, 7, 20])
@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_scenario_is_the_same_in_slices(scenario: str, size: int) -> None:
    stream = "".join(lines_of(scenario))
    assert decoded(*(stream[n : n + 2 * size] for n in range(0, len(stream), 2 * size))) == EXPECTED[scenario]


class TestFaultsOfTheReferenceParserThatThisOneHasNot:
    def test_it_throws_on_bytes_before_the_first_start(self) -> None:
        assert reference_of("frame-stray", 0)[0]["kind"] == "throw"
        assert decoded(*lines_of("frame-stray"), D0)[0]["event"] == "pen_down"

    def test_it_throws_on_a_hello_below_69_bytes(self) -> None:
        assert {each["kind"] for step in (0, 1) for each in reference_of("hello-old-short", step)} == {"throw"}
        assert names(decoded(*lines_of("hello-old-short"))) == ["version", "version"]

    def test_it_drops_refusals_silently(self) -> None:
        assert all(reference_of("reply-error", step) == [] for step in range(6))
        assert [event["ok"] for event in decoded(*lines_of("reply-error"))] == [False] * 6

    def test_it_calls_a_change_of_password_failed_where_old_firmware_says_less(self) -> None:
        assert reference_of("captured-m1plus", 10)[0]["name"] == "PASSWORD_SETUP_FAILURE"
        assert decoded("c083000200000ac1") == [{"event": "answer", "command": 0x83, "ok": True, "payload": "000a"}]

    def test_it_tells_the_charging_bit_as_battery(self) -> None:
        assert reference_of("hello-218", 3)[0]["args"]["Battery"] == 183
        settings = decoded(*lines_of("hello-218"))[2]
        assert (settings["battery_percent"], settings["charging"]) == (55, True)

    def test_it_dates_a_pen_up_by_the_last_dot(self) -> None:
        assert reference_of("stroke-new", 7)[0]["timeStamp"] == BASE_MS + 25
        assert decoded(*lines_of("stroke-new"))[7] == {"event": "pen_up", "time_ms": BASE_MS + 40}

    def test_it_says_nothing_of_an_uncounted_pen_down(self) -> None:
        assert reference_of("captured-m1plus", 2) == []
        assert decoded(*lines_of("captured-m1plus"))[2]["color"] == "#00FFFFFF"

    def test_it_begins_hover_one_millisecond_before_zero(self) -> None:
        assert reference_of("hover", 1)[0]["timeStamp"] == 11
        assert decoded(*lines_of("hover"))[1]["time_ms"] == 12

    def test_it_dates_a_stroke_without_pen_down_by_the_host(self) -> None:
        assert reference_of("lost-down", 3)[-1]["timeStamp"] == 1_700_000_123_456
        assert decoded(*lines_of("lost-down"))[3]["time_ms"] == BASE_MS + 10

    def test_it_ignores_the_length_field(self) -> None:
        assert decoded(D0, "c0610200" + "05c1", "c061010005c1")[1:] == [
            {"event": "battery", "percent": 5, "charging": False}
        ]

    def test_it_does_not_notice_a_count_that_comes_twice(self) -> None:
        assert names(decoded(D0, P1, X2, X2, X3)) == ["pen_down", "page", "dot", "dot"]


def test_a_first_dot_is_not_filtered() -> None:
    """The vendor's noise filter eats it, and dots at the edge of the paper."""
    edge = frame(0x6C, bytes((2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90, 90, 0, 0))).hex()
    assert decoded(D0, P1, edge)[2]["x"] == 0.0


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        ([D0, D0, P1, P1, X2, X2, X3, X3, U4, U4], {"duplicates": 5}),
        (
            [D0, P1, X2, *(p for p in ("c06c0e00030c2c", "0114001f004b00", "5a64b400c1") for _ in "12"), U4],
            {"duplicates": 3},
        ),
    ],
    ids=["whole", "in pieces"],
)
def test_field_case_1_copies_are_told_once(lines: list[str], counts: dict[str, int]) -> None:
    session = NeoSession(lenient=True)
    assert names(list(decode_lines(lines, session=session))) == ["pen_down", "page", "dot", "dot", "pen_up"]
    assert session.counts == counts


def test_field_case_3_a_frame_cut_short_is_one_loss() -> None:
    cut = "c06c0e00030c2c0114c06c0e00040d360115001f0000325a64b400c1"
    up = "c06a1300052868e5cf8b01000003000300030003000300c1"
    events = decoded(D0, P1, X2, cut, up)
    assert names(events) == ["pen_down", "page", "dot", "lost", "dot", "pen_up"]
    assert events[3] == {"event": "lost", "count": 1}
    assert [(events[n]["x"], events[n]["y"], events[n]["force"]) for n in (2, 4)] == [
        (20.25, 30.5, 200),
        (21.0, 31.5, 310),
    ]


def test_field_case_7_times_are_printed_as_told() -> None:
    told = [5000, BASE_MS + 7_200_000, BASE_MS]
    downs = [frame(0x69, bytes((n,)) + at.to_bytes(8, "little") + bytes(5)).hex() for n, at in enumerate(told)]
    assert [event["time_ms"] for event in decoded(*downs) if event["event"] == "pen_down"] == told


def test_field_case_10_one_stroke_on_two_pages() -> None:
    page_6 = "c06b0d00031b0000035b02000006000000c1"
    across = "c06c0e00040cd20032000a0000005a64b400c1"
    up = "c06a1300052868e5cf8b01000002000200020002000200c1"
    events = decoded(D0, P1, X2, page_6, across, up)
    assert names(events) == ["pen_down", "page", "dot", "page", "dot", "pen_up"]
    assert (events[3]["page"], events[4]["x"], events[4]["y"]) == (6, 50.0, 10.0)


def test_field_case_12_a_tap_is_a_dot() -> None:
    tap = "c06c0e000200c80016001f0000005a64b400c1"
    up = "c06a1300030868e5cf8b01000001000100010001000100c1"
    assert names(decoded(D0, P1, tap, up)) == ["pen_down", "page", "dot", "pen_up"]


def test_a_dot_alone_is_shown_though_nothing_is_known_of_its_page_or_time() -> None:
    assert decoded(X3) == [
        {
            "event": "dot",
            "time_ms": 12,
            "x": 20.75,
            "y": 31.0,
            "force": 300,
            "tilt_x": 90,
            "tilt_y": 100,
            "twist": 180,
        }
    ]


def test_power_off_and_unknown_commands_are_told() -> None:
    assert decoded("c062010003c1", "c07f0200abcdc1", "c0c9000100ffc1", "c06c020003ffc1") == [
        {"event": "power_off", "reason": "power_key"},
        {"event": "unknown", "command": 0x7F, "payload": "abcd"},
        {"event": "unknown", "command": 0xC9, "payload": "ff"},
        {"event": "unknown", "command": 0x6C, "payload": "03ff"},
    ]


def test_a_line_that_is_no_hex_is_named_and_the_others_are_decoded() -> None:
    result = run(f"{D0}\nwhat is this\n{P1[:-1]}\n{P1}\n")
    assert result.return_value == 2
    assert names([json.loads(line) for line in result.stdout.splitlines()]) == ["pen_down", "page"]
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["line 2 is not hex", "line 3 is not hex"]


@pytest.mark.parametrize("text", ["", "\n\n", b"\xef\xbb\xbf\n"])
def test_nothing_in_gives_nothing_out(text: str | bytes) -> None:
    result = run(text)
    assert (result.return_value, result.stdout, result.stderr) == (0, "", "")


def test_hex_may_be_spaced_and_in_capitals_with_windows_line_ends() -> None:
    spaced = " ".join(D0[n : n + 2] for n in range(0, len(D0), 2)).upper()
    assert names([json.loads(line) for line in run(f"{spaced}\r\n").stdout.splitlines()]) == ["pen_down"]


def test_what_is_not_shown_is_counted_on_stderr() -> None:
    result = run(f"{D0}\n{D0}\n{P1}\nc06c0e0003\n{X2}\n")
    assert result.stderr == "not shown: duplicates 1, frames_cut 1\n"
    assert result.return_value == 0


def test_bytes_that_are_no_text_are_no_hex() -> None:
    assert run(b"\xff\xfe\n").return_value == 2

import re
from pathlib import Path
from typing import get_args

import pytest

from gateway.dashboard import server
from gateway.dashboard.source import AnswerState
from gateway.words import LANGUAGES, say, words

PLURAL = re.compile(r"_(one|other)$")
CJK = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
SCRIPTS = sorted(server.STATIC.glob("*.js"))


def _params(language: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, text in words(language).items():
        found.setdefault(PLURAL.sub("", key), set()).update(re.findall(r"\{(\w+)\}", text))
    return found


def test_both_languages_say_the_same_codes_with_the_same_numbers() -> None:
    assert _params("zh-CN") == _params("en")


def test_every_plural_has_the_forms_of_its_language() -> None:
    english = words("en")
    for key in english:
        if PLURAL.search(key):
            base = PLURAL.sub("", key)
            assert {f"{base}_one", f"{base}_other"} <= set(english)
            assert f"{base}_other" in words("zh-CN")
            assert f"{base}_one" not in words("zh-CN")


def test_chinese_is_set_with_chinese_marks() -> None:
    for key, text in words("zh-CN").items():
        plain = re.sub(r"`[^`]*`", "", text)
        assert not re.search(r"[\u4e00-\u9fff][,:;]", plain), key


def test_every_reason_that_a_seat_can_give_has_its_cure() -> None:
    for language in LANGUAGES:
        catalogue = words(language)
        reasons = [k for k in catalogue if re.fullmatch(r"(pen|radio)\.[a-z_]+", k)]
        assert reasons
        for reason in reasons:
            assert f"{reason}.cure" in catalogue


def test_the_eight_states_and_the_five_causes_of_a_loss_have_words() -> None:
    states = get_args(AnswerState)
    causes = ["counter_gap", "link_lost", "memory_unread", "frame_damaged", "disk_full"]
    for language in LANGUAGES:
        assert {f"state.{s}" for s in states} | {f"loss.{c}" for c in causes} <= set(words(language))


def test_one_and_many_are_said_as_the_language_says_them() -> None:
    assert "1 result waits" in say("box.results", "en", n=1)
    assert "2 results wait" in say("box.results", "en", n=2)
    assert "1" in say("box.results", "zh-CN", n=1)


def test_a_code_without_a_sentence_is_not_hidden() -> None:
    assert say("pen.made_of_cheese", "en", n=3) == "pen.made_of_cheese (n 3)"


def test_a_missing_number_is_left_to_be_seen() -> None:
    assert "{used}" in say("radio.full", "en", places=7)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError):
        words("fr")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_sentence_stands_in_a_script(script: Path) -> None:
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", script.read_text("utf-8"), flags=re.DOTALL)
    literals = re.findall(r'"((?:[^"\\\n]|\\.)*)"', code)
    assert not CJK.search(code)
    sentences = [s for s in literals if re.search(r"[A-Za-z]{2,} [a-z]+ [a-z]+", s) and "sans-serif" not in s]
    assert not sentences


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_code_that_a_script_names_is_in_the_catalogue(script: Path) -> None:
    catalogue = {PLURAL.sub("", key) for key in words("en")}
    named = re.findall(r'\bt\(\s*"([^"]+)"', script.read_text("utf-8"))
    assert [code for code in named if code not in catalogue] == []


def test_every_code_that_a_page_names_is_in_the_catalogue() -> None:
    for page in server.STATIC.glob("*.html"):
        text = page.read_text("utf-8")
        assert {*re.findall(r'data-t(?:-label)?="([^"]+)"', text)} <= set(words("en"))
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import BadSetting
from gateway.settings import load_settings, registered

NOWHERE = Path("/nonexistent")


def write(folder: Path, text: str) -> Path:
    path = folder / "box.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_stand_where_nothing_is_said() -> None:
    settings, origins = load_settings(environment={}, system_folder=NOWHERE)
    assert settings.ink.beat_hz == 30
    assert origins == {}


def test_flags_win_over_environment_over_files(tmp_path: Path) -> None:
    file = write(tmp_path, "[ink]\nbeat_hz = 10\npiece_dots = 100\n[radio]\nplaces = 5\n")
    settings, origins = load_settings(
        files=[file],
        environment={"INKGATE_INK__BEAT_HZ": "20", "INKGATE_INK__PIECE_DOTS": "200", "INKGATE_PYTHON": "python3"},
        flags=["ink.beat_hz=25"],
        system_folder=NOWHERE,
    )
    assert (settings.ink.beat_hz, settings.ink.piece_dots, settings.radio.places) == (25, 200, 5)
    assert origins == {
        "ink.beat_hz": "--set",
        "ink.piece_dots": "INKGATE_INK__PIECE_DOTS",
        "radio.places": str(file),
    }


def test_files_of_the_system_folder_are_read_first(tmp_path: Path) -> None:
    write(tmp_path, "[box]\nid = 'box-7'\n")
    settings, _ = load_settings(environment={}, system_folder=tmp_path)
    assert settings.box.id == "box-7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ink]\nbeat_herz = 3\n", "ink.beat_hz"),
        ("[inks]\nbeat_hz = 3\n", "[ink]"),
        ("beat_hz = 3\n", "outside a section"),
        ("[ink]\nbeat_hz = 'fast'\n", "not a number"),
        ("[ink]\nbeat_hz = true\n", "not a number"),
        ("[ink]\nbeat_hz = 1000\n", "1 to 120"),
        ("[radio]\nplaces = 1.5\n", "not a whole number"),
        ("[radio]\nadapters = 3\n", "list of texts"),
        ("[sync]\nprotocol = '4'\n", "3.1.1, 5"),
        ("[ink\n", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(BadSetting) as refused:
        load_settings(files=[file], environment={}, system_folder=NOWHERE)
    assert words in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_settings_file_that_is_missing_is_said_so() -> None:
    with pytest.raises(BadSetting, match="does not exist"):
        load_settings(files=[NOWHERE / "x.toml"], environment={}, system_folder=NOWHERE)


def test_a_flag_without_a_section_is_refused() -> None:
    with pytest.raises(BadSetting, match=r"section\.key=value"):
        load_settings(flags=["beat_hz"], environment={}, system_folder=NOWHERE)


def test_every_setting_says_what_it_means() -> None:
    for item in registered():
        assert len(item.what) > 10, item.name
        assert item.what.endswith("."), item.name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=200), st.text(alphabet="[]=.\"'\n abeinkrdiotz_0123", max_size=120).map(str.encode))
)
def test_any_bytes_are_settings_or_a_clear_refusal(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(content)
    said = str(file)
    try:
        load_settings(files=[file], environment={}, system_folder=NOWHERE)
    except BadSetting as refused:
        said = str(refused)
    assert str(file) in said

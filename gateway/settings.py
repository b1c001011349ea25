"""Every setting, registered once: files, environment, flags, `config show` and README's table come from these fields.

Order: defaults < /etc/inkgate/*.toml < files given by --settings < INKGATE_SECTION__KEY < --set section.key=value.
Nothing else reads the environment. Secrets are named by file and never printed.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from gateway.errors import BadSetting

PREFIX: Final = "INKGATE_"
SYSTEM_FOLDER: Final = Path("/etc/inkgate")


def _setting(
    default: object,
    unit: str,
    what: str,
    *,
    allowed: Sequence[str] = (),
    least: float | None = None,
    most: float | None = None,
) -> Any:  # noqa: ANN401  a dataclass field stands for whatever type its annotation says
    metadata = {"unit": unit, "what": what, "allowed": tuple(allowed), "least": least, "most": most}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSettings:
    """The box itself."""

    folder: Path = _setting(Path("/var/lib/inkgate"), "", "Where the store, the control socket and the keys are.")
    id: str = _setting("box-1", "", "Opaque id of this box; no name of a school, room or person.")
    school: str = _setting("school-1", "", "Opaque id of the school, part of the topics.")
    district: str = _setting("district-1", "", "Opaque id of the district, part of the topics.")
    language: str = _setting("zh-CN", "", "Language of words for people.", allowed=("zh-CN", "en"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioSettings:
    """The adapters that reach the pens."""

    adapters: tuple[str, ...] = _setting(
        ("bluez",), "", "`bluez`, `bluez:hci1`, `serial:/dev/serial/by-id/…,1000000` or `unix:PATH`; several allowed."
    )
    places: int = _setting(7, "links", "How many pens one adapter holds, until it teaches us less.", least=1, most=64)
    connect_timeout_s: float = _setting(10.0, "s", "How long one try to connect may take.", least=0.5, most=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class PensSettings:
    """The pens."""

    join_minutes: float = _setting(10.0, "min", "How long the join window stays open.", least=0.1, most=120)
    password_file: str = _setting("", "", "File that holds the pens' password, where they have one. Never guessed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class InkSettings:
    """The beat and the pieces."""

    beat_hz: float = _setting(30.0, "1/s", "Commits and screen updates a second.", least=1, most=120)
    piece_dots: int = _setting(400, "dots", "A longer stroke is cut into pieces of so many dots.", least=10, most=5000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSettings:
    """When an answer is read."""

    settle_ms: int = _setting(1200, "ms", "Silence in a field before its ink is read.", least=0, most=60000)
    models: str = _setting("", "", "Folder of the reader's models; empty: those that come with inkgate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """What becomes of a teacher's decisions."""

    keep_labels: bool = _setting(
        default=False,
        unit="",
        what="Consent: ink that a teacher decided is kept with its label; `inkgate export ink` gives it for training.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """The way to the district."""

    broker: str = _setting(
        "127.0.0.1:1883",
        "",
        "HOST:PORT of the district's MQTT broker; several with commas between: nodes of one cluster.",
    )
    protocol: str = _setting("3.1.1", "", "MQTT protocol.", allowed=("3.1.1", "5"))
    ca_file: str = _setting("", "", "Certificate of the district's authority; with it the line to the broker is TLS.")
    cert_file: str = _setting("", "", "This box's certificate, where the broker asks for one.")
    key_file: str = _setting("", "", "File that holds the certificate's private key.")
    keep_days: float = _setting(
        30.0, "days", "How long envelopes are kept after their receipt; results stay.", least=1, most=3650
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSettings:
    """The box's disk."""

    low_mb: float = _setting(
        500.0, "MB", "Less free than this, and what may wait stops: pens' memories, old envelopes.", least=0, most=1e6
    )
    reserve_mb: float = _setting(
        32.0, "MB", "Kept for results when the disk is full; pens then keep their ink.", least=0.25, most=1e5
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """The page that teacher and technician see."""

    host: str = _setting("127.0.0.1", "", "Address the page is served on; 0.0.0.0 for the classroom's network.")
    port: int = _setting(8080, "", "Port of the page; 0 takes a free one.", least=0, most=65535)
    names: tuple[str, ...] = _setting(
        ("127.0.0.1", "localhost", "inkgate.local"), "", "Host names that the page answers to."
    )
    pin_file: str = _setting(
        "", "", "File that holds the PIN; empty: one is drawn at each start, `inkgate status --pin` tells it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an installer may change."""

    box: BoxSettings = field(default_factory=BoxSettings)
    radio: RadioSettings = field(default_factory=RadioSettings)
    pens: PensSettings = field(default_factory=PensSettings)
    ink: InkSettings = field(default_factory=InkSettings)
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    review: ReviewSettings = field(default_factory=ReviewSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    disk: DiskSettings = field(default_factory=DiskSettings)
    dashboard: DashboardSettings = field(default_factory=DashboardSettings)

    @property
    def database(self) -> Path:
        """The box's one database."""
        return self.box.folder / "gateway.db"


@dataclass(frozen=True, slots=True)
class Registered:
    """One setting as `config show` and README print it."""

    name: str
    default: object
    value: object
    unit: str
    what: str
    origin: str


_SECTIONS: Final[Mapping[str, type]] = {
    "box": BoxSettings,
    "radio": RadioSettings,
    "pens": PensSettings,
    "ink": InkSettings,
    "reading": ReadingSettings,
    "review": ReviewSettings,
    "sync": SyncSettings,
    "disk": DiskSettings,
    "dashboard": DashboardSettings,
}


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """What a service manager that started us wants to hear; nothing where there is none."""

    address: str
    """Its socket."""
    limit_s: float
    """After how long without a word it kills us; 0 for never."""


def service_manager(environment: Mapping[str, str] | None = None) -> ServiceManager:
    """As systemd says it in the environment (sd_notify, sd_watchdog_enabled)."""
    environment = os.environ if environment is None else environment
    limit = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    limit_s = int(limit) / 1e6 if ours and limit.isdecimal() else 0.0
    return ServiceManager(environment.get("NOTIFY_SOCKET", ""), limit_s)


def load_settings(
    *,
    files: Sequence[Path] = (),
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    system_folder: Path = SYSTEM_FOLDER,
) -> tuple[Settings, dict[str, str]]:
    """Read all sources.

    Returns:
        The settings and, by `section.key`, where each value that is not a default came from.

    Raises:
        BadSetting: A file cannot be read, or a setting is unknown or not allowed.
    """
    values: dict[str, dict[str, object]] = {name: {} for name in _SECTIONS}
    origins: dict[str, str] = {}
    environment = os.environ if environment is None else environment
    system = sorted(system_folder.glob("*.toml")) if system_folder.is_dir() else []
    for origin, name, value in [
        *_from_files([*system, *files]),
        *_from_environment(environment),
        *_from_flags(flags),
    ]:
        section, _, key = name.partition(".")
        values[section][key] = _checked(name, value, origin)
        origins[name] = origin
    return Settings(**{name: kind(**values[name]) for name, kind in _SECTIONS.items()}), origins


def registered(settings: Settings | None = None, origins: Mapping[str, str] | None = None) -> list[Registered]:
    """Every setting with its value, in the order of this file."""
    settings, origins = settings or Settings(), origins or {}
    out = []
    for section, kind in _SECTIONS.items():
        for item in fields(kind):
            name = f"{section}.{item.name}"
            value = getattr(getattr(settings, section), item.name)
            about = item.metadata
            out.append(
                Registered(name, item.default, value, about["unit"], about["what"], origins.get(name, "default"))
            )
    return out


def _from_files(paths: Sequence[Path]) -> Iterator[tuple[str, str, object]]:
    for path in paths:
        try:
            with path.open("rb") as file:
                document = tomllib.load(file)
        except FileNotFoundError:
            raise BadSetting(f"The settings file {path} does not exist.") from None
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadSetting(f"The settings file {path} cannot be read: {error}") from error
        for section, content in document.items():
            if not isinstance(content, dict):
                raise BadSetting(f"{path}: `{section}` stands outside a section. {_nearest_section(section)}")
            for key, value in content.items():
                yield str(path), f"{section}.{key}", value


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and "__" in variable:
            section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
            yield variable, f"{section}.{key}", value


def _from_flags(flags: Sequence[str]) -> Iterator[tuple[str, str, object]]:
    for flag in flags:
        name, equals, value = flag.partition("=")
        if not equals or "." not in name:
            raise BadSetting(f"--set takes section.key=value, not `{flag}`.")
        yield "--set", name.strip(), value


def _nearest_section(name: str) -> str:
    near = difflib.get_close_matches(name, list(_SECTIONS), 1)
    return f"Did you mean [{near[0]}]?" if near else f"Sections are: {', '.join(_SECTIONS)}."


def _checked(name: str, value: object, origin: str) -> object:
    section, _, key = name.partition(".")
    if section not in _SECTIONS:
        raise BadSetting(f"{origin}: no section is called `{section}`. {_nearest_section(section)}")
    kind = _SECTIONS[section]
    item = {f.name: f for f in fields(kind)}.get(key)
    if item is None:
        known = [f"{s}.{f.name}" for s, k in _SECTIONS.items() for f in fields(k)]
        near = difflib.get_close_matches(name, known, 1, 0.5)
        raise BadSetting(f"{origin}: no setting is called `{name}`." + (f" Did you mean `{near[0]}`?" if near else ""))
    try:
        converted = _convert(value, get_type_hints(kind)[key])
    except (TypeError, ValueError):
        raise BadSetting(
            f"{origin}: `{name}` = {value!r} is not {_kind_in_words(get_type_hints(kind)[key])}."
        ) from None
    about = item.metadata
    if about["allowed"] and converted not in about["allowed"]:
        raise BadSetting(f"{origin}: `{name}` = {converted!r}; allowed are {', '.join(about['allowed'])}.")
    if isinstance(converted, (int, float)):
        least, most = about["least"], about["most"]
        if (least is not None and converted < least) or (most is not None and converted > most):
            raise BadSetting(f"{origin}: `{name}` = {converted}; allowed is {least} to {most} {about['unit']}.".strip())
    return converted


def _convert(value: object, kind: object) -> object:
    if kind is bool:
        return _yes_or_no(value)
    if kind is int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        return int(value)  # type: ignore[call-overload]  # a wrong type is the ValueError or TypeError we want
    if kind is float:
        if isinstance(value, bool):
            raise ValueError
        return float(value)  # type: ignore[arg-type]  # as above
    if kind is Path:
        return Path(_text(value))
    if kind is str:
        return _text(value)
    items = value.split(";") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise TypeError
    return tuple(_text(item).strip() for item in items)


def _yes_or_no(value: object) -> bool:
    words = {"true": True, "false": False}
    if isinstance(value, str):
        value = words.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _kind_in_words(kind: object) -> str:
    names: dict[object, str] = {int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    names[bool] = "true or false"
    return names.get(kind, "a list of texts (in the environment: separated by `;`)")

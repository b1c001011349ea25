"""The models that read, each kept whole under its hash, so that what one of them read can be read again by it.

The reader never runs from the folder that comes with the program or that a setting names, but from a copy in the
box's own folder, `models/HASH/`, that is made before it starts. An upgrade adds a folder and takes none away. The hash
is over names and contents of all that a reader loads; cards and licences (`.md`, `.txt`) come along and do not count.
"""

import contextlib
import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Final, NamedTuple

import recognition
from gateway.aside import sync_folder
from gateway.errors import BadSetting
from gateway.settings import Settings

logger = logging.getLogger(__name__)

SHIPPED: Final = Path(recognition.__file__).resolve().parent / "models"
FOLDER: Final = "models"
_NOT_LOADED: Final = frozenset({".md", ".txt"})
_NET: Final = ".onnx"


class Models(NamedTuple):
    """A folder of models by the hash of what is in it."""

    sha256: str
    folder: Path


def chosen(settings: Settings) -> Path:
    """The folder that the settings name, or the one that comes with the program.

    Raises:
        BadSetting: There is no model in it.
    """
    if not settings.reading.models:
        return SHIPPED
    folder = Path(settings.reading.models)
    if not (folder.is_dir() and any(path.suffix == _NET for path in folder.iterdir())):
        raise BadSetting(f"`reading.models` = {folder} is no folder of models: there is no {_NET} file in it.")
    return folder


def keep(box: Path, source: Path) -> Path:
    """Copy models into the box's folder, if they are not there yet.

    Returns:
        The copy; the source itself where the disk has no room for one, which is tried again at the reader's next start.
    """
    try:
        sha256 = content_hash(source)
        target = box / FOLDER / sha256
        if not target.is_dir():
            _copy(source, target)
        elif content_hash(target) != sha256:
            logger.error("the models in %s are not what they were; they are copied anew", target)
            target.rename(target.with_name(f"{sha256}.damaged-{os.getpid()}"))
            _copy(source, target)
    except OSError as error:
        logger.warning("the reader's models cannot be kept (%s): it runs from %s", error, source)
        return source
    return target


def known(box: Path, *more: Path) -> list[Models]:
    """Every folder of models that is kept and whole, then those given, each content once."""
    there: dict[str, Path] = {}
    folder = box / FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and content_hash(path) == path.name:
            there[path.name] = path
    for path in more:
        there.setdefault(content_hash(path), path)
    return [Models(*each) for each in there.items()]


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of all that a reader loads, as 64 hex digits."""
    total = hashlib.sha256()
    for path in _files(folder):
        if path.suffix not in _NOT_LOADED:
            total.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all: a copy gets its name when it is on the disk."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.mkdir(parents=True, exist_ok=True)
    try:
        for path in _files(source):
            with (draft / path.name).open("wb") as file:
                file.write(path.read_bytes())
                file.flush()
                os.fsync(file.fileno())
        sync_folder(draft)
        with contextlib.suppress(FileExistsError):
            draft.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)

"""A newcomer finds every room of the gateway in its map."""

import re
from pathlib import Path

import gateway

FOLDER = Path(gateway.__file__).parent
AS_BUILT = {p.stem for p in FOLDER.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}


def test_the_map_names_every_module_once() -> None:
    lines = re.findall(r"^- [^:]+: (.+)$", gateway.__doc__ or "", re.MULTILINE)
    named = [name for line in lines for name in line.split(", ")]
    assert sorted(named) == sorted(AS_BUILT - {"__init__", "__main__"})

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core: from INKGATE_AXE, or from npm for this run only."""
    if given := os.environ.get("INKGATE_AXE"):
        return Path(given, "axe.min.js").read_text("utf-8")
    if shutil.which("npm") is None:
        pytest.skip("no axe-core: apt-get install npm, or name its folder in INKGATE_AXE")
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["npm", "pack", "axe-core@4"], cwd=folder, capture_output=True, check=False, timeout=60)
        if packed.returncode:
            pytest.skip("axe-core cannot be fetched: name its folder in INKGATE_AXE")
        shutil.unpack_archive(next(Path(folder).glob("*.tgz")), folder)
        return Path(folder, "package", "axe.min.js").read_text("utf-8")

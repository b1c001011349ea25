"""Runs the import contracts of pyproject.toml: which folder may import which."""

import sys

if __name__ == "__main__":
    from importlinter.cli import lint_imports

    sys.exit(lint_imports(no_logo=True))

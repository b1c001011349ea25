"""`inkgate`, installed or as `python -m gateway`: hands the words over to the command line."""

import sys


def main() -> None:
    """Run the command line and end with its exit code."""
    from gateway.cli import program  # noqa: PLC0415  a command must not pay for what it does not use

    sys.exit(program())


if __name__ == "__main__":
    main()

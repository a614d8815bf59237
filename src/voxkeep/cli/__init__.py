"""The `voxkeep` command."""

import sys


def main() -> None:
    """Run the command line."""
    from voxkeep.cli.main import app  # noqa: PLC0415 -- importing the package alone stays cheap

    sys.exit(app())

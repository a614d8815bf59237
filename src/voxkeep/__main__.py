"""`python -m voxkeep` is the `voxkeep` command."""

from voxkeep.cli import main

main()

"""Fuse a checkpoint: `mobileone fuse`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.fuse import main

if __name__ == '__main__':
    raise SystemExit(run(main))

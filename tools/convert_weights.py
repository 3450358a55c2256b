"""Rename weights: `mobileone convert`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.convert import main

if __name__ == '__main__':
    raise SystemExit(run(main))

"""Look at what a config trains on: `mobileone check`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.check import main

if __name__ == '__main__':
    raise SystemExit(run(main))

"""Export a trained model: `mobileone export`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.export import main

if __name__ == '__main__':
    raise SystemExit(run(main))

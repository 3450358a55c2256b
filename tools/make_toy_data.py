"""Draw a data set: `mobileone toy-data`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.toy_data import main

if __name__ == '__main__':
    raise SystemExit(run(main))

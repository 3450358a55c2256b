"""Check a saved artifact: `mobileone verify`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.verify import main

if __name__ == '__main__':
    raise SystemExit(run(main))

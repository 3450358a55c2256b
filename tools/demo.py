"""The whole way: `mobileone demo`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.demo import main

if __name__ == '__main__':
    raise SystemExit(run(main))

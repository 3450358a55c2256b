"""Score an exported model: `mobileone evaluate`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.evaluate import main

if __name__ == '__main__':
    raise SystemExit(run(main))

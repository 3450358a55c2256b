"""Draw what a model finds: `mobileone predict`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.predict import main

if __name__ == '__main__':
    raise SystemExit(run(main))

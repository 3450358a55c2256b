"""What is installed: `mobileone doctor`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.doctor import main

if __name__ == '__main__':
    raise SystemExit(run(main))

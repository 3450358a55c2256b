"""What is installed, what is faulty, and the command that mends it."""

from mobileone_mm.cli import run
from mobileone_mm.doctor.report import main

if __name__ == '__main__':
    raise SystemExit(run(main))

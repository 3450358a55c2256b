"""`python -m mobileone_mm.doctor`, for where the console script is missing."""

from mobileone_mm.cli import run
from mobileone_mm.commands.doctor import main

raise SystemExit(run(main))

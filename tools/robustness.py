"""Score an ImageNet classifier on the robustness sets: `mobileone robustness`."""

from mobileone_mm.cli import run
from mobileone_mm.commands.robustness import main

if __name__ == '__main__':
    raise SystemExit(run(main))

"""Whether each extra is enough by itself: python benchmarks/extras.py [EXTRA ...].

Makes a real environment for each extra in a temporary folder with `pip install '.[EXTRA]'`, and runs in it what
tests/test_extras.py plays by blocking imports. To be run from a development installation, which exports the files that
are opened there. One environment after the other: each takes some 5.5 GB and minutes, and is removed. Status 1 if one
failed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))

from extra_checks import CHECKS  # noqa: E402
from tiny_detector import export_tiny, new_detector  # noqa: E402

SCRIPT = ROOT / 'tests' / 'extra_checks.py'
SHOWN = 4000  # characters of what a failure printed, from its end


def export_files(folder: Path) -> None:
    """Write what an environment cannot export itself."""
    folder.mkdir()
    detector = new_detector(folder)
    export_tiny(detector, folder / 'detector.mlpackage')
    for name in ('raw', 'nms'):
        export_tiny(detector, folder / f'{name}.onnx', nms=name == 'nms')


def run(command: list[str], where: Path) -> str | None:
    """What a command that failed printed; None of one that succeeded."""
    environment = {key: value for key, value in os.environ.items() if key not in ('PYTHONPATH', 'PYTHONHOME')}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-SHOWN:] or f'status {done.returncode}'


def fault(extra: str, folder: Path, pip: list[str]) -> str | None:
    """Install one extra into an environment in `folder` and check it; what went wrong, or None."""
    venv.create(folder / 'venv', with_pip=True)
    python = str(folder / 'venv/bin/python')
    files = folder / 'files'
    export_files(files)
    return run([python, '-m', 'pip', 'install', '--quiet', *pip, f'{ROOT}[{extra}]'], folder) or run(
        [python, '-W', 'ignore', str(SCRIPT), extra, str(files)], folder
    )


def main() -> int:
    """Check the extras that are asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('extras', nargs='*', metavar='EXTRA', help=f'{", ".join(CHECKS)}; all of them without any')
    parser.add_argument('--constraint', type=Path, metavar='FILE', help='versions to install: constraints.txt')
    parser.add_argument('--folder', type=Path, help="where the environments are made; the system's temporary folder")
    args = parser.parse_args()
    unknown = set(args.extras) - set(CHECKS)
    if unknown:
        parser.error(f'{", ".join(sorted(unknown))}: expected {", ".join(CHECKS)}')
    pip = ['--constraint', str(args.constraint.resolve())] if args.constraint else []
    failed = 0
    for extra in args.extras or CHECKS:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=args.folder, prefix=f'{extra}-') as folder:
            found = fault(extra, Path(folder), pip)
        failed += found is not None
        print(f'{extra}: {found or "enough by itself"} ({time.perf_counter() - start:.0f} s)', flush=True)
    return int(failed > 0)


if __name__ == '__main__':
    raise SystemExit(main())

"""What is left of an export that is killed at a random moment: python benchmarks/killed_exports.py [--runs 30].

Exports a detector over the package of another one, in a process of its own, and kills it (SIGKILL): two runs of three
at any moment of its life, the third from when the package is saved and checked on. After each, the path has to hold the
old package, or the new one, whole, and beside it the page about that one or none. Prints what it held by the station
that was killed; status 1 if anything was half. Without --config and --checkpoint it takes the demo's detector, trained
by nobody.
"""

import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.page import SHORT_HASH
from mobileone_mm.exporter.verify import verify
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.classes import class_names
from mobileone_mm.outputs import page_of
from mobileone_mm.threads import one_thread
from mobileone_mm.weights import checkpoint
from mobileone_mm.weights.checkpoint import file_sha256

ROOT = Path(__file__).parents[1]
DEMO = ROOT / 'configs' / 'detection' / 'demo_ssd.py'
LAST = 'save and check'  # the last station that is announced; the path is touched after it
OUTCOMES = ('old', 'new', 'nothing', 'HALF')


def make_checkpoint(config_file: Path, path: Path, seed: int) -> Path:
    """Write a checkpoint of fresh weights."""
    torch.manual_seed(seed)
    config = configs.load_config(config_file)
    state = configs.build_model(config).state_dict()
    checkpoint.save_checkpoint(path, state, {'dataset_meta': {'classes': list(class_names(config))}})
    return path


def start(config: Path, weights: Path, out: Path, log: Path) -> 'subprocess.Popen[bytes]':
    """Begin an export; what it says goes into `log`."""
    command = [sys.executable, str(ROOT / 'tools' / 'export.py'), str(config), str(weights), '--out', str(out)]
    temporary = log.with_name('temporary')  # a killed process leaves its temporary files to whoever owns the folder
    temporary.mkdir(exist_ok=True)
    with log.open('wb') as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, 'TMPDIR': str(temporary)})


def finish(process: 'subprocess.Popen[bytes]', log: Path) -> None:
    """Wait for an export that has to succeed."""
    if process.wait() != 0:
        raise SystemExit(f'an export that nobody killed failed:\n{log.read_text()}')


def wait_for(text: str, log: Path, process: 'subprocess.Popen[bytes]') -> None:
    """Wait until an export says a text, or ends."""
    while process.poll() is None and text not in log.read_text():
        time.sleep(0.002)


def station(log: Path) -> str:
    """Which station an export was in when it ended."""
    begun = re.findall(r'^(.+) \.\.\.$', log.read_text(), re.MULTILINE)
    done = re.findall(r'^(.+): \d+\.\d s$', log.read_text(), re.MULTILINE)
    return 'start and load' if not begun else f'after {LAST}' if LAST in done else begun[-1]


def held(out: Path, old: dict[str, str], weights: str) -> str:
    """What a path holds: one of `OUTCOMES`."""
    if not out.exists():
        return 'nothing'
    page = page_of(out).read_text() if page_of(out).exists() else ''
    try:
        made_from = verify(out)[0].checkpoint_sha256
    except ExportError as error:
        print(error)
        return 'HALF'
    if page and f'sha256 {made_from[:SHORT_HASH]}' not in page:
        return 'HALF'
    return 'old' if contents(out) == old else 'new' if made_from == weights else 'HALF'


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder."""
    return {str(file.relative_to(folder)): file_sha256(file) for file in folder.rglob('*') if file.is_file()}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--runs', type=int, default=30)
parser.add_argument('--seed', type=int, default=0)
parser.add_argument('--config', type=Path, default=DEMO)
parser.add_argument('--checkpoint', type=Path, help='of the new package; fresh weights without it')
args = parser.parse_args()
moments = random.Random(args.seed)

with tempfile.TemporaryDirectory(prefix='killed_exports.') as name, one_thread():
    folder = Path(name)
    out, spare, log = folder / 'out' / 'detector.mlpackage', folder / 'old.mlpackage', folder / 'log'
    out.parent.mkdir()
    finish(start(args.config, make_checkpoint(args.config, folder / 'old.pth', 1), spare, log), log)
    new = args.checkpoint or make_checkpoint(args.config, folder / 'new.pth', 2)
    old, weights = contents(spare), file_sha256(new)

    whole, last = [], []
    for _ in range(3):
        shutil.rmtree(out, ignore_errors=True)
        begin = time.perf_counter()
        process = start(args.config, new, out, log)
        wait_for(f'{LAST} ...', log, process)
        reached = time.perf_counter()
        finish(process, log)
        last.append(time.perf_counter() - reached)
        whole.append(time.perf_counter() - begin)
    print(f'a whole export takes {statistics.median(whole):.1f} s; from {LAST} on {statistics.median(last):.2f} s')
    assert held(out, old, weights) == 'new'

    found: Counter[tuple[str, str]] = Counter()
    rooms = 0
    while sum(found.values()) < args.runs:
        shutil.rmtree(out)
        shutil.copytree(spare, out)
        shutil.copyfile(page_of(spare), page_of(out))
        process = start(args.config, new, out, log)
        if sum(found.values()) % 3 == 2:
            wait_for(f'{LAST} ...', log, process)
            time.sleep(moments.uniform(0, statistics.median(last)))
        else:
            time.sleep(moments.uniform(0, statistics.median(whole)))
        process.kill()
        if process.wait() == -signal.SIGKILL:  # else it was faster than usual, and nobody killed it
            found[station(log), held(out, old, weights)] += 1
            rooms = max(rooms, len(list(out.parent.glob('.*'))))
    finish(start(args.config, new, out, log), log)
    left = [*out.parent.glob('.*'), *(folder / 'temporary').glob('.*')]

print(f'\n{"killed in":24}' + ''.join(f'{outcome:>9}' for outcome in OUTCOMES))
for place in dict.fromkeys(place for place, _ in sorted(found)):
    print(f'{place:24}' + ''.join(f'{found[place, outcome]:9}' for outcome in OUTCOMES))
total = {outcome: sum(count for (_, one), count in found.items() if one == outcome) for outcome in OUTCOMES}
print(f'{"all":24}' + ''.join(f'{total[outcome]:9}' for outcome in OUTCOMES))
print(f'\nhidden folders beside it: {rooms} at most at one time, {len(left)} once an export has ended by itself')
raise SystemExit(1 if total['HALF'] or left else 0)

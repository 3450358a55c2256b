"""The demo's story: the commands a user would type, one after the other, and a page about what came out.

All paths are relative to the repository's root, where every command runs.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobileone_mm.cli import say
from mobileone_mm.errors import MobileOneError
from mobileone_mm.outputs import DEMO, mark_folder, require_outputs
from mobileone_mm.tasks.detection.agreement import Total

CONFIG = 'configs/detection/demo_ssd.py'
FOLDER = 'demo'
MARK = 'demo'  # what the folder is marked with
BEST = '{best}'  # in a command: the best checkpoint, known once the training has written it
EPOCH = re.compile(r'Epoch\(train\) +\[(\d+)\]\[.*? eta: (\S+) .*?loss: (\S+)')
STATION = re.compile(r'[a-z][a-z ]* \.\.\.\n')  # how tools/export.py announces a long part
# What other tools end with: what was drawn, whether a package is sound, how far two detectors agree.
VERDICT = re.compile(r'\S+: train \d+ images|\S+: sound;|all \d+ boxes agree|the one box agrees|boxes: left ')
# mim ends the traceback of what it called with one of its own, which says nothing.
REASON = re.compile(r'(?!subprocess\.CalledProcessError|Traceback )\S')
METRICS = {'mAP50': 'coco/bbox_mAP_50', 'mAP': 'coco/bbox_mAP'}
SCORE = re.compile(r'Epoch\((?:val|test)\) +\[.*bbox_mAP_50: (\S+)')


class StepError(MobileOneError):
    """A step of the demo failed."""


@dataclass(frozen=True)
class Step:
    """One command of the demo, as typed in the repository's root with the virtual environment active."""

    name: str
    says: str
    command: str


@dataclass(frozen=True)
class Done:
    """A step that went well: what was run, and for how long (seconds)."""

    name: str
    command: str
    seconds: float


STEPS = (
    Step('data', 'draw a set of shapes', f'python tools/make_toy_data.py {FOLDER}/data --images 400 --val 60'),
    Step('train', 'train a small SSD on it, for minutes', f'mim train mmdet {CONFIG} --work-dir {FOLDER}/training'),
    Step(
        'test',
        'test the best checkpoint',
        f'mim test mmdet {CONFIG} --checkpoint {BEST} --work-dir {FOLDER}/test '
        f'--cfg-options test_evaluator.outfile_prefix={FOLDER}/test/predictions',
    ),
    Step(
        'fuse',
        'fold the branches of every block into one convolution',
        f'python tools/fuse.py {CONFIG} {BEST} --out {FOLDER}/fused.pth',
    ),
    Step(
        'export',
        'write the Core ML package, compare every form with the one before, and score it beside the model',
        f'python tools/export.py {CONFIG} {BEST} --out {FOLDER}/detector.mlpackage --report {FOLDER}/export.json '
        f'--evaluate --image {" ".join(f"{FOLDER}/data/images/val/{number:06}.png" for number in range(1, 5))}',
    ),
    Step('check', 'open the saved package again and check it', f'python tools/verify.py {FOLDER}/detector.mlpackage'),
    Step(
        'look',
        'draw what the package finds, beside what the trained model does',
        f'python tools/predict.py {FOLDER}/detector.mlpackage {FOLDER}/data/images/val --out {FOLDER}/predictions '
        f'--compare {CONFIG} {BEST}',
    ),
)
RESULTS = (
    'logs',
    'training',
    'test',
    'fused.pth',
    'fused.py',
    'detector.mlpackage',
    'export.json',
    'report.html',
    'predictions',
    'pictures.png',
    'summary.md',
)


def clear(root: Path) -> None:
    """Remove what an earlier demo left, so that nothing old can pass for new.

    Raises:
        UsageError: a folder stands there that no demo made.
    """
    require_outputs([(root / FOLDER, DEMO)], ())
    for name in RESULTS:
        path = root / FOLDER / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (root / FOLDER / 'logs').mkdir(parents=True)
    mark_folder(root / FOLDER, MARK)


def run_steps(root: Path, steps: Sequence[Step]) -> Iterator[Done]:
    """Run one command after the other in `root`, each with its whole output in demo/logs.

    Raises:
        StepError: a command cannot be started or fails; says which, why and where its log is.
    """
    for number, step in enumerate(steps, 1):
        command = step.command
        if BEST in command:
            command = command.replace(BEST, best_checkpoint(root))
        what = f'[{number}/{len(steps)}] {step.name}'
        say(f'\n{what}: {step.says}\n  $ {command}')
        started = time.monotonic()
        _run(root, what, command, Path(FOLDER, 'logs', f'{step.name}.log'))
        yield Done(step.name, command, time.monotonic() - started)


def best_checkpoint(root: Path) -> str:
    """The trained checkpoint that scored best in validation, relative to `root`.

    Raises:
        StepError: the training left none, or several.
    """
    found = [path for path in (root / FOLDER / 'training').glob('best_*.pth') if 'fused' not in path.name]
    if len(found) != 1:
        raise StepError(f'{FOLDER}/training: {len(found)} best checkpoints, expected 1; see {FOLDER}/logs/train.log')
    return found[0].relative_to(root).as_posix()


def shown(line: str) -> str | None:
    """What the terminal gets of a line of output: where a long step is. The rest is for the log."""
    if epoch := EPOCH.search(line):
        return f'epoch {epoch[1]}: loss {float(epoch[3]):.2f}, {epoch[2]} to go'
    if score := SCORE.search(line):
        return f'mAP50 {float(score[1]):.3f} on the validation pictures'
    return line.strip() if STATION.fullmatch(line) or VERDICT.match(line) else None


def facts(root: Path, done: Sequence[Done]) -> dict[str, str]:
    """What came out of a finished demo, a line each."""
    export, looked = _read(root / FOLDER / 'export.json'), _read(root / FOLDER / 'predictions/predictions.json')
    truth = _read(root / FOLDER / 'data/annotations/val.json')
    trained, *_, package = export['scores']['rows']
    classes = ', '.join(category['name'] for category in truth['categories'])
    return {
        'score': f'{_said(package)}; the trained model {_said(trained)}',
        'package': f'{FOLDER}/detector.mlpackage, {export["bytes"] / 1e6:.1f} MB, finds {classes}',
        'agreement': Total(**looked['agreement']).said('package', 'trained model'),
        'scored on': f'{len(truth["images"])} validation pictures, {len(truth["annotations"])} boxes',
        'time': f'{sum(step.seconds for step in done):.0f} s',
    }


def summary(root: Path, done: Sequence[Done]) -> str:
    """The page about a finished demo, as Markdown."""
    export, looked = _read(root / FOLDER / 'export.json'), _read(root / FOLDER / 'predictions/predictions.json')
    scores = [_cells(row['name'], row['rule'], *_values(row)) for row in export['scores']['rows']]
    rungs = [_cells(rung['name'], _value(rung), f'{rung["limit"]:g} {rung["unit"]}') for rung in export['ladder']]
    steps = [_cells(step.name, f'{step.seconds:.0f} s', f'`{step.command}`') for step in done]
    fullest = max(looked['pictures'], key=lambda entry: len(entry['detections']))
    return '\n'.join(
        [
            '# A detector of drawn shapes, from nothing to Core ML',
            '',
            '| | |',
            '| --- | --- |',
            *(_cells(name, text) for name, text in facts(root, done).items()),
            '',
            'In a browser: [report.html](report.html), every comparison, score and picture of the export on one page.',
            '',
            '## What was learned',
            '',
            '![left of each pair: what was drawn; right: what was found](pictures.png)',
            '',
            'The first validation pictures, not the best ones; found by the trained checkpoint.',
            '',
            '## Is the package the model that was trained?',
            '',
            _cells('', 'rule', *METRICS),
            _cells(*['---'] * (2 + len(METRICS))),
            *scores,
            '',
            'On so few pictures rounding to float16 moves a score by some tenths of a point, up or down.',
            '',
            f'![left: found by the package; right: by the trained model](predictions/{fullest["picture"]})',
            '',
            'The validation picture with the most boxes; all of them are in [predictions](predictions). A box that '
            'differs would have a red frame. Where two boxes of one shape have nearly the same score, rounding decides '
            'which of them suppresses the other: that is where agreeing boxes are pixels apart.',
            '',
            '| compared | largest difference | limit |',
            '| --- | --- | --- |',
            *rungs,
            '',
            '## What was run',
            '',
            'In the repository, with `.venv/bin` on the PATH. Whole outputs: [logs](logs).',
            '',
            '| step | time | command |',
            '| --- | --- | --- |',
            *steps,
            '',
        ]
    )


def _cells(*texts: str) -> str:
    return f'| {" | ".join(texts)} |'


def _said(row: dict[str, Any]) -> str:
    return ', '.join(f'{name} {value}' for name, value in zip(METRICS, _values(row), strict=True))


def _values(row: dict[str, Any]) -> list[str]:
    # A detector that finds nothing anywhere has no metrics.
    values = [row['metrics'].get(key) for key in METRICS.values()]
    return ['-' if value is None else f'{value:.3f}' for value in values]


def _value(rung: dict[str, Any]) -> str:
    return rung['note'] if rung['value'] is None else f'{rung["value"]:.3g} {rung["unit"]}'


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _run(root: Path, what: str, command: str, log: Path) -> None:
    program, *arguments = shlex.split(command)
    # Those of the environment this interpreter belongs to, whether it is active or not.
    executable = sys.executable if program == 'python' else str(Path(sys.executable).parent / program)
    last = ''
    try:
        with (root / log).open('w') as file, _started(root, [executable, *arguments]) as process:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                last = line.strip() if REASON.match(line) else last
                if text := shown(line):
                    say(f'  {text}')
    except FileNotFoundError as error:
        raise StepError(f'{what}: {executable} is missing; run: make setup') from error
    if process.returncode:
        raise StepError(f'{what} failed with status {process.returncode}: {last}\n  its whole output: {log}')


def _started(root: Path, command: Sequence[str]) -> 'subprocess.Popen[str]':
    return subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    )

"""Trainings of a benchmark: each has a config and a result, and none is done twice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mobileone_mm import cli
from mobileone_mm.atomic import Kind, replacing, require_writable
from mobileone_mm.errors import MobileOneError, UsageError
from mobileone_mm.outputs import REPORT, is_marked, mark_folder, report_text


def open_folder(out: Path, what: str) -> None:
    """Make a folder for the results of a benchmark, or go on with one.

    Raises:
        UsageError: it holds what no run of this benchmark wrote.
    """
    require_writable(out, Kind(f'a folder of the benchmark {what!r}', partial(is_marked, what), folder=True))
    out.mkdir(parents=True, exist_ok=True)
    mark_folder(out, what)


def result_of(out: Path, name: str, text: str, measure: Callable[[Path, Path], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What came of a training that was done before, else of one that is done now.

    Args:
        out: folder with all configs, results and work folders.
        name: of the training.
        text: of its config, which may import what lies beside this file.
        measure: finds the numbers of the result, given the config's path and the work folder.

    Raises:
        UsageError: it was trained before with other settings.
        MobileOneError: the training failed.
    """
    config, result, work_dir = out / f'{name}.py', out / f'{name}.json', out / name
    if config.exists() and config.read_text(encoding='utf-8') != text:
        raise UsageError(
            f'{config}: was made with other data or options; choose another --out, or remove this file, '
            f'{result.name} and {work_dir.name}/'
        )
    if result.exists():
        stored: dict[str, Any] = json.loads(result.read_text(encoding='utf-8'))
        return stored
    with replacing(config) as fresh:
        fresh.write_text(text, encoding='utf-8')
    command = ['train', str(config), '--work-dir', str(work_dir), '--resume']
    cli.say(f'{name}: {cli.command(*command)}')
    paths = os.pathsep.join(filter(None, (str(Path(__file__).resolve().parent), os.environ.get('PYTHONPATH'))))
    environment = os.environ | {'PYTHONPATH': paths}
    done = subprocess.run([sys.executable, '-m', cli.MODULE, *command], check=False, env=environment)
    if done.returncode != 0:
        raise MobileOneError(f'{name}: the training failed; the same command goes on where it stopped')
    made = measure(config, work_dir)
    with replacing(result, REPORT) as fresh:
        fresh.write_text(report_text(dict(made)))
    return made


def logged(work_dir: Path, *scores: str) -> tuple[list[Mapping[str, float]], float]:
    """What mmengine's logs say of a training: the lines of its steps, and the last score.

    Args:
        work_dir: of the training.
        scores: names of the score in the log: the first of them that a line has counts.

    Raises:
        MobileOneError: no step or no score is logged.
    """
    said: list[Mapping[str, float]] = []
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):  # by time: a resumed training has several
        said += map(json.loads, log.read_text(encoding='utf-8').splitlines())
    steps = [line for line in said if 'loss' in line]
    found = [line[key] for line in said for key in scores if key in line]
    if not (steps and found):
        raise MobileOneError(
            f'{work_dir}: no log in there tells of a whole training; remove the folder and train again'
        )
    return steps, found[-1]

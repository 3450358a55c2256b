"""What a version number cannot tell, tried: each in an interpreter of its own, since a broken binary can end it.

A trial prints one line of what it saw. One that fails has its error read for the command that mends it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

PACKAGE = 'mobileone-mm'
LIMIT_SECONDS = 180  # the first import of torch from a cold disk has been seen to take a minute
AT_ONCE = 2  # more would only contend: a trial is one core's work

TORCH_CODE = """
import torch, torchvision
boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]])
assert torchvision.ops.nms(boxes, torch.tensor([0.1, 0.9]), 0.5).tolist() == [1]
print('nms runs,', torch.cuda.get_device_name() if torch.cuda.is_available() else 'no CUDA device')
"""
CV2_CODE = """
import cv2, numpy
assert cv2.resize(numpy.zeros((4, 4, 3), numpy.uint8), (2, 2)).shape == (2, 2, 3)
print(cv2.__version__)
"""
MMCV_CODE = """
import mmcv._ext, mmcv.ops
origin = mmcv._ext.__spec__.origin
print('served by mobileone_mm' if origin == 'mobileone_mm.openmmlab.mmcv_ext' else 'compiled')
"""
REGISTRY_CODE = """
import mobileone_mm.registry
from mmengine.registry import MODELS
assert MODELS.get('mobileone_mm.MobileOne') is not None, 'mmengine does not find mobileone_mm.MobileOne'
print('found by mmengine')
"""
COCO_CODE = 'from pycocotools import mask; print("there")'
COREML_CODE = """
import coremltools, torch
net = torch.jit.trace(torch.nn.Conv2d(3, 2, 1).eval(), torch.zeros(1, 3, 4, 4))
shape = coremltools.TensorType(shape=(1, 3, 4, 4))
coremltools.convert(net, inputs=[shape], minimum_deployment_target=coremltools.target.iOS16, skip_model_load=True)
print('converts')
"""


@dataclass(frozen=True)
class Trial:
    """One thing to try.

    Attributes:
        item: its name in the table.
        code: Python that prints one line, or fails.
        mend: the error's text -> the command that mends it.
        after: items that have to work first; where one fails it alone is to blame.
        only_with: a distribution without which there is nothing to try.
    """

    item: str
    code: str
    mend: Callable[[str], str]
    after: tuple[str, ...] = ()
    only_with: str | None = None


SEEN, FAILED, SKIPPED = 'seen', 'failed', 'skipped'


@dataclass(frozen=True)
class Outcome:
    """How a trial went: SEEN with the line that it printed, FAILED with its error, SKIPPED with the item to blame."""

    trial: Trial
    state: str
    text: str


def pip(*arguments: str) -> str:
    """A pip command line, for a shell, for the interpreter that runs now."""
    path = Path(sys.executable)
    interpreter = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return ' '.join([str(interpreter), '-m', 'pip', *(_quoted(argument) for argument in arguments)])


def _quoted(argument: str) -> str:
    return f"'{argument}'" if set(argument) & set('<>=[]*! ') else argument


def source() -> str:
    """What to give pip for another installation of this package: the folder it came from, else its name."""
    try:
        origin = json.loads(metadata.distribution(PACKAGE).read_text('direct_url.json') or '{}')
    except metadata.PackageNotFoundError:
        return '.'
    url = urlparse(origin.get('url', ''))
    return unquote(url.path) if url.scheme == 'file' else PACKAGE


def _reinstall(*names: str) -> Callable[[str], str]:
    """Take these out and in again: --force-reinstall would renew what they depend on as well, past our ranges."""
    return lambda error: f'{pip("uninstall", "--yes", *names)} && {pip("install", *names)}'


def _mend_cv2(error: str) -> str:
    # Linux servers have no libGL, libxcb or libgthread, which opencv-python's windows ask for; headless has no windows.
    if '.so' in error:
        # Both write the same folder: taking one out breaks the other, so that it has to be written anew.
        install = pip('install', '--force-reinstall', '--no-deps', 'opencv-python-headless')
        return f'{pip("uninstall", "--yes", "opencv-python")} && {install}'
    return _reinstall('opencv-python')(error)


def _mend_mmcv(error: str) -> str:
    if "No module named 'mmcv._ext'" in error:  # our start-up files are gone
        return pip('install', '--force-reinstall', '--no-deps', *_as_installed())
    return f'{pip("uninstall", "--yes", "mmcv", "mmcv-lite")} && {pip("install", "mmcv-lite>=2.1,<2.2")}'


def _as_installed() -> list[str]:
    return ['--editable', source()] if Path(source(), 'pyproject.toml').is_file() else [source()]


def trials() -> list[Trial]:
    """All trials, in the order of the table: none comes before one that it is `after`."""
    ground = ('torch with torchvision', 'opencv', 'pkg_resources')
    ops = (*ground, 'mmcv._ext')
    return [
        Trial('torch with torchvision', TORCH_CODE, _reinstall('torch', 'torchvision')),
        Trial('opencv', CV2_CODE, _mend_cv2),
        Trial('pkg_resources', 'import pkg_resources; print("there")', lambda error: pip('install', 'setuptools<81')),
        Trial('mmcv._ext', MMCV_CODE, _mend_mmcv, ground),
        Trial('mobileone_mm', REGISTRY_CODE, lambda error: pip('install', *_as_installed()), ground),
        Trial('pycocotools', COCO_CODE, _reinstall('pycocotools'), (), 'pycocotools'),
        _import('mmdet', 'mmdet', 'detection', ops),
        _import('mmseg', 'mmsegmentation', 'segmentation', ops),
        _import('mmpretrain', 'mmpretrain', 'classification', ops),
        Trial('a Core ML conversion', COREML_CODE, _reinstall('coremltools'), ground[:1], 'coremltools'),
    ]


def _import(module: str, distribution: str, extra: str, after: tuple[str, ...]) -> Trial:
    code = f'import {module}.models; print("whole")'
    return Trial(f'import {module}', code, lambda error: pip('install', f'{source()}[{extra}]'), after, distribution)


def try_all(wanted: Sequence[Trial]) -> list[Outcome]:
    """The outcomes of the trials, in their order; one waits for those that it is `after`."""
    outcomes: dict[str, Outcome] = {}
    while len(outcomes) < len(wanted):
        ready = [t for t in wanted if t.item not in outcomes and all(item in outcomes for item in t.after)]
        assert ready, 'trials wait for one another'
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            fresh = pool.map(lambda trial: _outcome(trial, outcomes), ready)
        outcomes.update((outcome.trial.item, outcome) for outcome in fresh)
    return [outcomes[trial.item] for trial in wanted]


def _outcome(trial: Trial, before: Mapping[str, Outcome]) -> Outcome:
    to_blame = [item for item in trial.after if before[item].state != SEEN]
    return Outcome(trial, SKIPPED, ', '.join(to_blame)) if to_blame else _attempt(trial)


def _attempt(trial: Trial) -> Outcome:
    command = [sys.executable, '-W', 'ignore', '-c', trial.code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return Outcome(trial, FAILED, f'no answer within {LIMIT_SECONDS} s')
    if done.returncode < 0:
        return Outcome(trial, FAILED, f'{done.stderr}\nthe interpreter was ended by signal {-done.returncode}')
    if done.returncode or not done.stdout.strip():
        return Outcome(trial, FAILED, done.stderr)
    return Outcome(trial, SEEN, done.stdout.strip().splitlines()[-1])

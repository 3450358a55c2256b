"""Each extra works where it is the only one installed, which is played by blocking what the others would bring."""

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import extra_checks
from mobileone_mm.exporter.report import Report

PACKAGE = 'mobileone-mm'
TOGETHER = {'all', 'dev'}  # extras of several others
SCRIPT = Path(extra_checks.__file__)
RUN = """
import runpy, sys
sys.modules.update(dict.fromkeys({blocked!r}))  # makes their import fail
sys.argv[:] = {arguments!r}
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def brought_by(extra: str) -> set[str]:
    """The distributions that an installation with one extra brings, by what is said of those installed here."""
    wanted, seen = [(PACKAGE, frozenset({extra}))], set()
    while wanted:
        name, extras = asked = wanted.pop()
        if asked in seen:
            continue
        seen.add(asked)
        try:
            requirements = [Requirement(text) for text in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:  # of another system
            continue
        for requirement in requirements:
            marker = requirement.marker
            if marker is None or any(marker.evaluate({'extra': one}) for one in extras or {''}):
                wanted.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in seen}


def blocked_beside(extra: str) -> set[str]:
    """The modules installed here that an installation with one extra would not have."""
    brought = brought_by(extra)
    return {
        module
        for module, owners in metadata.packages_distributions().items()
        if not brought & {canonicalize_name(owner) for owner in owners}
    }


@pytest.fixture(autouse=True)
def _installed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import of setuptools puts its own copies of packages on the path, which no extra brings or lacks."""
    monkeypatch.setattr(sys, 'path', [entry for entry in sys.path if Path(entry).name != '_vendor'])


def test_every_extra_is_checked() -> None:
    extras = metadata.metadata(PACKAGE).get_all('Provides-Extra') or []
    assert set(extra_checks.CHECKS) == set(extras) - TOGETHER


@pytest.mark.parametrize(
    ('extra', 'there', 'blocked'),
    [
        ('detection', {'mmdet', 'pycocotools', 'mmengine', 'torch'}, {'coremltools', 'google', 'supervision', 'onnx'}),
        ('export', {'coremltools', 'google', 'sklearn', 'supervision', 'mmcv'}, {'mmdet', 'onnx', 'mim', 'pytest'}),
        ('onnx', {'onnx', 'onnxruntime', 'onnxscript', 'supervision'}, {'coremltools', 'mmdet', 'mmseg'}),
        ('segmentation', {'mmseg', 'ftfy', 'regex'}, {'mmdet', 'mmpretrain', 'coremltools', 'supervision'}),
    ],
)
def test_what_an_extra_brings_is_there_and_the_rest_is_not(extra: str, there: set[str], blocked: set[str]) -> None:
    assert blocked_beside(extra) & (there | blocked) == blocked


@pytest.mark.parametrize('extra', extra_checks.CHECKS)
def test_an_extra_is_enough_by_itself(
    extra: str, exported: Report, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(exported.artifact, tmp_path / 'detector.mlpackage')
    for name, file in onnx_files.items():
        shutil.copy(file, tmp_path / f'{name}.onnx')
    code = RUN.format(blocked=sorted(blocked_beside(extra)), arguments=[str(SCRIPT), extra, str(tmp_path)])
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

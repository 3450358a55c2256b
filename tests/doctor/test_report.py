"""The doctor's judgement of versions, its reading of errors, and the whole of it where everything heavy is broken."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mobileone_mm.doctor import report, trials

ROOT = Path(__file__).parents[2]


def install(folder: Path, name: str, version: str) -> None:
    """Put a distribution's metadata, and nothing else, into a folder."""
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole module path: only what a test installs there is installed."""
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    return tmp_path


@pytest.mark.parametrize(
    ('version', 'expected', 'verdict'),
    [
        ('2.3.5', '>=2.0,<2.4', 'fine'),
        ('2.4.0', '>=2.0,<2.4', 'too new'),
        ('1.26.4', '>=2.0,<2.4', 'too old'),
        ('2.4.0rc1', '>=2.0,<2.4', 'too new'),  # a release candidate of what is excluded
        ('2.13.0+cpu', '>=2.6,<2.16', 'fine'),  # local builds are of their version
        ('0.3.9', '==0.3.8', 'too new'),
        ('0.3.7', '==0.3.8', 'too old'),
        ('3.0', '==2.1.*', 'too new'),
        ('80.10.2', '<81', 'fine'),
        ('81.0', '<81', 'too new'),
        ('1', '', 'fine'),  # any
    ],
)
def test_a_version_is_fine_too_old_or_too_new(version: str, expected: str, verdict: str) -> None:
    assert report.verdict_on(version, SpecifierSet(expected)) == verdict


@pytest.mark.parametrize(
    ('installed', 'requirement', 'verdict', 'mend'),
    [
        (('numpy', '2.3.5'), 'numpy<2.4,>=2.0', 'fine', ''),
        (('numpy', '2.4.1'), 'numpy<2.4,>=2.0', 'too new', "pip install 'numpy>=2.0,<2.4'"),
        (('openmim', '0.3.9'), 'openmim==0.3.8', 'too new', "pip install 'openmim==0.3.8'"),
        (('torch', '2.5.1'), 'torch<2.16,>=2.6', 'too old', "pip install 'torch>=2.6,<2.16'"),
        (None, 'torch<2.16,>=2.6', 'missing', "pip install 'torch>=2.6,<2.16'"),
        (None, 'coremltools<10,>=9.0', 'missing', "pip install 'coremltools>=9.0,<10'"),  # without it no export
        (None, 'mmpretrain<1.3,>=1.2', 'missing (optional)', "pip install 'mmpretrain>=1.2,<1.3'"),
        (('mmcv', '2.1.0'), 'mmcv-lite<2.2,>=2.1', 'fine', ''),  # a compiled mmcv is as good as mmcv-lite
        (('mmcv', '2.2.0'), 'mmcv-lite<2.2,>=2.1', 'too new', "pip install 'mmcv>=2.1,<2.2'"),
    ],
)
def test_each_fault_comes_with_the_command_that_mends_it(
    only: Path, installed: tuple[str, str] | None, requirement: str, verdict: str, mend: str
) -> None:
    if installed:
        install(only, *installed)
    finding = report.judge(Requirement(requirement))
    assert finding.verdict == verdict
    assert finding.mend.removeprefix(trials.pip().removesuffix('pip')) == mend
    assert finding.blocks == (verdict not in ('fine', 'missing (optional)'))


@pytest.mark.parametrize(
    ('mmcv', 'lite', 'verdicts'),
    [(None, '2.1.0', []), ('2.1.0', None, []), ('2.1.0', '2.1.0', ['fine']), ('2.0.1', '2.1.0', ['faulty'])],
)
def test_mmcv_and_mmcv_lite_together_have_to_be_of_one_version(
    only: Path, mmcv: str | None, lite: str | None, verdicts: list[str]
) -> None:
    for name, version in (('mmcv', mmcv), ('mmcv-lite', lite)):
        if version:
            install(only, name, version)
    findings = report.judge_mmcv_pair()
    assert [finding.verdict for finding in findings] == verdicts
    for finding in findings:
        assert ('uninstall --yes mmcv mmcv-lite && ' in finding.mend) == (finding.verdict == 'faulty')


def test_one_host_is_needed_and_any_will_do(only: Path) -> None:
    (finding,) = report.judge_hosts([report.judge(Requirement(name)) for name in report.HOSTS])
    assert finding.blocks
    assert '[detection]' in finding.mend
    install(only, 'mmsegmentation', '1.2.2')
    assert report.judge_hosts([report.judge(Requirement(name)) for name in report.HOSTS]) == []


def test_the_ranges_are_those_of_the_installed_package() -> None:
    asked = {requirement.name: requirement for requirement in report.requirements()}
    assert {'torch', 'mmcv-lite', 'mmdet', 'coremltools', 'openmim', 'ftfy'} <= asked.keys()
    assert not {'pytest', 'ruff', 'mobileone-mm'} & asked.keys()
    assert str(asked['openmim'].specifier) == '==0.3.8'


# What the errors of real faults say, and what mends them.
GL = 'ImportError: libGL.so.1: cannot open shared object file: No such file or directory'
PAIR = 'RuntimeError: operator torchvision::nms does not exist'
START_UP = "ModuleNotFoundError: No module named 'mmcv._ext'"
SYMBOL = 'ImportError: mmcv/_ext.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi'
FTFY = "ModuleNotFoundError: No module named 'ftfy'"


@pytest.mark.parametrize(
    ('item', 'error', 'mend'),
    [
        ('opencv', GL, 'uninstall --yes opencv-python && .* install .* opencv-python-headless$'),
        ('opencv', "ModuleNotFoundError: No module named 'cv2'", ' install opencv-python$'),
        ('torch with torchvision', PAIR, 'uninstall --yes torch torchvision && .* install torch torchvision$'),
        ('pkg_resources', "No module named 'pkg_resources'", "install 'setuptools<81'$"),
        ('mmcv._ext', START_UP, 'install --force-reinstall --no-deps .*'),
        ('mmcv._ext', SYMBOL, "uninstall --yes mmcv mmcv-lite && .* install 'mmcv-lite>=2.1,<2.2'$"),
        ('import mmseg', FTFY, r"install '.*\[segmentation\]'$"),
    ],
)
def test_an_error_is_read_for_its_cure(item: str, error: str, mend: str) -> None:
    (trial,) = (trial for trial in trials.trials() if trial.item == item)
    finding = report.judge_trial(trials.Outcome(trial, trials.FAILED, f'Traceback ...\n{error}\n'))
    assert (finding.verdict, finding.detail) == ('faulty', error)
    assert re.search(mend, finding.mend), finding.mend


def trial(item: str, code: str, *after: str) -> trials.Trial:
    return trials.Trial(item, code, lambda error: f'mend {item}', after)


def test_trials_report_what_they_saw_and_blame_the_first_fault_only() -> None:
    outcomes = trials.try_all(
        [
            trial('good', 'print("noise"); print("seen")'),
            trial('bad', 'raise ImportError("broken")'),
            trial('dead', 'import os; os.abort()'),
            trial('mute', 'pass'),
            trial('next', 'print("went on")', 'good'),
            trial('victim', 'print("never")', 'good', 'bad'),
            trial('victim of the victim', 'print("never")', 'victim'),
        ]
    )
    findings = {finding.item: finding for finding in map(report.judge_trial, outcomes)}
    assert {item: (finding.verdict, finding.mend) for item, finding in findings.items()} == {
        'good': ('fine', ''),
        'bad': ('faulty', 'mend bad'),
        'dead': ('faulty', 'mend dead'),
        'mute': ('faulty', 'mend mute'),
        'next': ('fine', ''),
        'victim': ('not tried', ''),
        'victim of the victim': ('not tried', ''),
    }
    assert findings['good'].installed == 'seen'
    assert findings['bad'].detail == 'ImportError: broken'
    assert 'ended by signal 6' in findings['dead'].detail
    assert findings['victim'].installed == 'needs bad'


@pytest.mark.parametrize(
    'command', [['tools/doctor.py'], ['-m', 'mobileone_mm.doctor'], ['-m', 'mobileone_mm', 'doctor']]
)
def test_it_explains_where_everything_heavy_is_broken(tmp_path: Path, command: list[str]) -> None:
    for module in ('torch', 'mmengine', 'cv2', 'numpy', 'coremltools'):
        (tmp_path / f'{module}.py').write_text(f'raise ImportError("{module}.so.1: cannot open shared object file")\n')
    install(tmp_path, 'setuptools', '99.0')
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1, done.stderr
    assert 'setuptools: too new: 99.0 is installed, <81 is expected\n    ' in done.stdout
    assert "pip install 'setuptools<81'\n" in done.stdout
    assert 'torch with torchvision: faulty: ImportError: torch.so.1: cannot open' in done.stdout
    assert 'opencv-python-headless\n' in done.stdout
    assert 'import mmdet: ' not in done.stdout  # follows from torch: no advice of its own
    assert done.stdout.splitlines()[-1].startswith('next: ')

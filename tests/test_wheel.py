"""What users get: the wheel, built and installed into a folder, and used from outside the clone with nothing of it."""

import os
import subprocess
import sys
import zipfile
from ast import literal_eval
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from mobileone_mm.__main__ import VERBS, module_of
from mobileone_mm.openmmlab.shipped import shipped

ROOT = Path(__file__).parents[1]
USE = """
import site
import sys
from pathlib import Path
site.addsitedir(sys.argv[1])  # runs its .pth, as in a site-packages: mmdet needs what that offers
import mobileone_mm
from mmengine.config import Config
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.shipped import shipped
home = Path(mobileone_mm.__file__).parent
print(home)
for name, path in shipped().items():
    assert path.is_relative_to(home / '.mim/configs'), path
    hosts = {'classification': 'mmpretrain', 'detection': 'mmdet', 'segmentation': 'mmseg'}
    assert Config.fromfile(path).default_scope == hosts[path.parent.name], name
print(*sorted(shipped()))
for name in mobileone_mm.__all__:
    assert getattr(mobileone_mm, name) is not None
for name in ('demo_ssd', 'ssd_mobileone_s0', 'demo_deeplabv3', 'deeplabv3_mobileone_s1_voc', 'demo_mobileone'):
    print(type(configs.build_model(configs.load_config(name)).backbone).__module__)
"""


def ran(*words: object, cwd: Path, variables: Mapping[str, str] | None = None) -> str:
    """What a command that has to go well prints, warnings of others' libraries left out."""
    command = [str(word) for word in words]
    environment = {**os.environ, 'PYTHONWARNINGS': 'ignore', **(variables or {})}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: str) -> list[str]:
    """What a folder of the clone holds, relative to the clone."""
    found = [path for path in (ROOT / folder).rglob('*') if path.is_file() and '__pycache__' not in path.parts]
    return [path.relative_to(ROOT).as_posix() for path in found]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this clone, by way of the source distribution, which has to hold all that it is built from."""
    folder = tmp_path_factory.mktemp('dist')
    build = (sys.executable, '-m', 'hatchling', 'build')
    ran(*build, '--target', 'sdist', '--directory', folder, cwd=ROOT)
    (source,) = folder.glob('*.tar.gz')
    ran('tar', '-xf', source, cwd=folder)
    ran(*build, '--target', 'wheel', '--directory', folder, cwd=folder / source.name.removesuffix('.tar.gz'))
    (built,) = folder.glob('*.whl')
    return built


@pytest.fixture(scope='module')
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip installed the wheel into, with the console script in its `bin`."""
    folder = tmp_path_factory.mktemp('installed')
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--no-index', '--no-deps')
    ran(*pip, '--target', folder, wheel, cwd=folder)
    return folder


@pytest.fixture
def outside(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, where what is imported is the wheel's."""
    monkeypatch.setenv('PYTHONPATH', str(installed))
    monkeypatch.setenv('PATH', f'{installed / "bin"}:{os.environ["PATH"]}')
    return tmp_path


def test_it_holds_the_clones_files_each_at_its_place_and_nothing_else(wheel: Path) -> None:
    expected = {*files('mobileone_mm'), *(f'mobileone_mm/.mim/{name}' for name in files('configs'))}
    expected |= {'mobileone_mm/.mim/model-index.yml', '_mobileone_mm_startup.py', 'mobileone_mm_startup.pth'}
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if '.dist-info/' not in name}
        assert file.read('mobileone_mm_startup.pth') == b'import _mobileone_mm_startup\n'
    assert held == expected
    assert 'mobileone_mm/py.typed' in held
    assert any(name.endswith('templates/page.html') for name in held)


def test_its_doors_configs_and_models_work_outside_the_clone(installed: Path, outside: Path) -> None:
    home, names, *backbones = ran(sys.executable, '-c', USE, installed, cwd=outside).splitlines()
    assert Path(home) == installed / 'mobileone_mm'
    assert names.split() == sorted(shipped())
    assert backbones == ['mobileone_mm.models.backbones.mobileone'] * 5


@pytest.mark.parametrize('verb', [verb for verb in VERBS if find_spec(module_of(verb)) is not None])
def test_every_verb_explains_itself(verb: str, outside: Path) -> None:
    assert ran('mobileone', verb, '--help', cwd=outside).startswith('example: ')


def test_an_own_config_is_written_and_read_where_there_is_no_clone(installed: Path, outside: Path) -> None:
    ran('mobileone', 'init', 'own.py', '--classes', 'one,two', cwd=outside)
    code = 'from mmengine.config import Config; print(Config.fromfile("own.py").model.bbox_head.num_classes)'
    assert ran(sys.executable, '-c', code, cwd=outside) == '2\n'


@pytest.mark.parametrize('name', ['mobileone-mm', 'mobileone_mm'])
def test_mim_finds_its_models(name: str, outside: Path) -> None:
    printed = ran(sys.executable, '-m', 'mim', 'search', name, '--valid-config', cwd=outside)
    found = literal_eval(printed.splitlines()[-1])
    assert {f'ssd_mobileone_s{variant}' for variant in range(5)} < set(found)
    assert {f'mobileone_s{variant}_in1k' for variant in range(5)} < set(found)
    assert {f'deeplabv3_mobileone_s{variant}_{data}' for variant in range(5) for data in ('voc', 'ade20k')} < set(found)


def test_an_editable_installation_has_no_second_copy_of_the_configs(tmp_path: Path) -> None:
    code = f'from hatchling.build import build_editable; build_editable({str(tmp_path)!r})'
    ran(sys.executable, '-c', code, cwd=ROOT)
    (built,) = tmp_path.glob('*.whl')
    with zipfile.ZipFile(built) as file:
        assert {name for name in file.namelist() if '.dist-info/' not in name} == {
            '_editable_impl_mobileone_mm.pth',
            '_mobileone_mm_startup.py',
            'mobileone_mm_startup.pth',
        }

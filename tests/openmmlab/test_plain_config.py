"""Whatever the values of a config are, it is written without double braces, and read as the same values."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from odd_names import CODE, NAMES

from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.plain_config import PlainConfig, plain_config

KEYS = [name for name in NAMES if '\\' not in name]  # mmengine escapes nothing in keys
PLAIN = {'classes': NAMES, 'keys': {name: index for index, name in enumerate(KEYS)}, 'list': [*NAMES]}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_mmengines_own_text_is_read_otherwise() -> None:
    # When mmengine mends it, this turns red and most of this can go.
    Path('config.py').write_text(f'classes = {(CODE, "{{fileBasename}}")!r}\n')
    assert CODE not in Config.fromfile('config.py').classes
    assert Path('PWNED').exists()
    Config({'name': '{{fileBasename}}'}).dump('config.py')
    assert Config.fromfile('config.py')['name'] == 'config.py'


@pytest.mark.parametrize('ending', ['py', 'json', 'yaml'])
def test_what_is_dumped_is_read_as_it_was(ending: str) -> None:
    config = plain_config(Config({**PLAIN, 'lr': 1e-5, 'count': 3, 'none': None}))
    config.dump(Path(f'config.{ending}'))
    assert '{{' not in Path(f'config.{ending}').read_text()
    read = Config.fromfile(f'config.{ending}')
    assert tuple(read.classes) == NAMES
    assert (read['keys'], list(read['list'])) == (PLAIN['keys'], PLAIN['list'])
    assert (read.lr, read.count, read.none) == (1e-5, 3, None)
    assert not Path('PWNED').exists()


def test_copies_and_texts_stay_plain() -> None:
    config = plain_config(Config(PLAIN))
    for one in (config, copy.deepcopy(config), copy.copy(config)):
        assert type(one) is PlainConfig
        assert one.pretty_text == one.dump()
        assert '{{' not in one.pretty_text
    assert config.to_dict() == Config(PLAIN).to_dict()


def test_a_yaml_or_json_config_is_kept_in_its_own_format() -> None:
    """As mmengine does it, where nothing has to be escaped."""
    for name in ('config.json', 'config.yaml'):
        Config({'model': {'type': 'A'}, 'default_scope': 'mmdet', 'sizes': [1, 2]}).dump(name)
        read = load_config(name)
        assert read.dump() == Config.fromfile(name).dump()


def test_a_users_own_substitutions_still_work() -> None:
    Path('mine.py').write_text("default_scope = 'mmdet'\nmodel = dict(type='{{$ZZ:Net}}')\nname = '{{fileBasename}}'\n")
    config = load_config('mine.py')
    assert (config.model.type, config['name']) == ('Net', 'mine.py')

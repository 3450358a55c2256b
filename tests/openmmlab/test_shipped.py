"""Shipped configs by name, and a user's own by path."""

import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.inputs import test_size_hw as size_hw
from mobileone_mm.openmmlab.shipped import config, find_config, shipped
from mobileone_mm.weights import names

ROOT = Path(__file__).parents[2]
DETECTION = ROOT / 'configs/detection'


def test_every_config_but_the_parts_is_shipped_and_no_two_share_a_name() -> None:
    files = [path for path in ROOT.glob('configs/**/*.py') if path.parent.name != '_base_']
    assert sorted(shipped().values()) == sorted(files)
    assert set(shipped()) == {path.stem for path in files}


@pytest.mark.parametrize(
    'word',
    [
        'ssd_mobileone_s2',
        'ssd_mobileone_s2.py',
        'detection/ssd_mobileone_s2',
        './detection/ssd_mobileone_s2.py',
        'configs/detection/ssd_mobileone_s2.py',
    ],
)
def test_a_name_is_found_from_anywhere_with_and_without_its_folder_and_ending(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    classifier = word.replace('ssd_mobileone_s2', 'mobileone_s0_in1k').replace('detection', 'classification')
    assert find_config(classifier) == ROOT / 'configs/classification/mobileone_s0_in1k.py'
    segmenter = word.replace('ssd_mobileone_s2', 'deeplabv3_mobileone_s1_voc').replace('detection', 'segmentation')
    assert find_config(segmenter) == ROOT / 'configs/segmentation/deeplabv3_mobileone_s1_voc.py'
    assert find_config(word) == DETECTION / 'ssd_mobileone_s2.py'
    assert config(word) == str(DETECTION / 'ssd_mobileone_s2.py')


def test_a_file_of_the_users_goes_before_a_shipped_one_but_is_not_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path('ssd_mobileone_s2.py')
    own.write_text('')
    assert find_config(own) == own
    assert find_config('ssd_mobileone_s2') == DETECTION / own.name
    assert config(own.name) == str(DETECTION / own.name)  # else a copy of that name would be its own base


@pytest.mark.parametrize(
    'word', ['work_dirs/ssd_mobileone_s2.py', '/ssd_mobileone_s2', 'classification/ssd_mobileone_s2']
)
def test_a_path_that_ends_in_a_shipped_name_is_no_shipped_config(word: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f'{word}: no such config file, ')):
        find_config(word)


@pytest.mark.parametrize(
    ('word', 'named'),
    [
        ('ssd_mobilone_s4', r'did you mean ssd_mobileone_s4 or ssd_mobileone_s\d or ssd_mobileone_s\d\?'),
        ('demo.py', r'did you mean demo_ssd\?|there are demo_mobileone, '),
        ('yolo', r'there are demo_mobileone, .*, demo_ssd, .*deeplabv3_mobileone_s4_voc, demo_deeplabv3$'),
    ],
)
def test_a_name_that_is_none_gets_the_nearest(word: str, named: str) -> None:
    for look_up in (config, find_config):
        with pytest.raises(ConfigError, match=named):
            look_up(word)


@pytest.mark.parametrize('word', ['', '.', '..', '/'])
def test_a_folder_is_no_config(word: str) -> None:
    with pytest.raises(ConfigError, match='no shipped config of that name; there are demo_mobileone, '):
        config(word)
    with pytest.raises(ConfigError, match=rf'^{re.escape(str(Path(word)))}: a folder, expected a config file, or'):
        find_config(word)


def test_what_mim_search_prints_is_what_the_configs_hold() -> None:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    models = [model for file in index['Import'] for model in yaml.safe_load((ROOT / file).read_text())['Models']]
    templates = re.compile('demo|_own_')  # of what nobody looks for a trained model of
    assert sorted(model['Name'] for model in models) == sorted(name for name in shipped() if not templates.search(name))
    for model in models:
        assert ROOT / model['Config'] == shipped()[model['Name']]
        loaded = Config.fromfile(ROOT / model['Config'])
        backbone, said = loaded.model.backbone, model['Metadata']
        if 'init_cfg' in backbone:
            assert said['Backbone Weights'] == backbone.init_cfg.checkpoint
            assert said['Backbone Weights'] == names.OFFICIAL_URLS[backbone.arch, 'trained']
        else:  # ImageNet's begin with nothing
            assert loaded.default_scope == 'mmpretrain'
            assert 'Backbone Weights' not in said
        assert said['Epochs'] == loaded.train_cfg.max_epochs
        assert said['Resolution'] == '{1}x{0}'.format(*size_hw(loaded))

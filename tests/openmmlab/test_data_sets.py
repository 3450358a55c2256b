"""Data sets in a config, out of their wrappers, and which of their files are not there."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.openmmlab.data_sets import explained, last_pipelines, require_meta_keys, sets_of, why_not_given
from mobileone_mm.openmmlab.test_data import Samples, read_sample


def config_of(dataset: Any, **more: Any) -> Config:
    return Config({'train_dataloader': {'dataset': dataset}, **more})


def test_every_data_set_is_found_at_its_place() -> None:
    a, b, c = ({'type': name} for name in 'abc')
    joined = {'type': 'ConcatDataset', 'datasets': [a, {'type': 'RepeatDataset', 'dataset': b}, c]}
    config = config_of({'type': 'ClassBalancedDataset', 'dataset': joined}, val_dataloader=None)
    found = dict(sets_of(config, 'train_dataloader'))
    inner = 'train_dataloader.dataset.dataset.datasets'
    assert found == {f'{inner}.0': a, f'{inner}.1.dataset': b, f'{inner}.2': c}
    for place, one in found.items():
        config.merge_from_dict({f'{place}.found': True})  # as a word of --cfg-options
        assert one['type'] in 'abc'
    assert all(one['found'] for _, one in sets_of(config, 'train_dataloader'))
    assert not list(sets_of(config, 'val_dataloader'))
    assert not list(sets_of(config, 'test_dataloader'))


def why(config: Config, error: Exception) -> str:
    """What is said instead of an error that building a training set raised; empty where it stays as it is."""
    with pytest.raises((DataError, type(error))) as raised, explained(config, 'train_dataloader'):
        raise error
    return '' if raised.value is error else str(raised.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'set/images').mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize('error', [AssertionError(), FileNotFoundError('x'), DataError('x')])
@pytest.mark.parametrize(
    ('dataset', 'said'),
    [
        ({'data_root': 'set', 'ann_file': 'a.txt', 'data_prefix': {'img_path': 'images'}}, 'set/a.txt: not there'),
        ({'data_root': 'set', 'data_prefix': 'no'}, 'set/no: not there'),
        ({'data_root': 'no/', 'ann_file': 'a.txt'}, 'no/: no such folder'),
        ({'ann_file': 'a.txt'}, 'a.txt: not there'),
        ({'data_root': 'set', 'ann_file': '/no/a.txt', 'data_prefix': {'img': ''}}, '/no/a.txt: not there'),
    ],
)
def test_a_file_that_is_not_there_is_said(dataset: dict[str, Any], said: str, error: Exception, here: Path) -> None:
    assert why(config_of(dataset), error).startswith(f'{said}, seen from {here}; ')


@pytest.mark.parametrize('kind', ['Class folders', 'Masks', 'Boxes'])
def test_own_data_are_explained_on_their_own_page(kind: str, here: Path) -> None:
    name = {'Class folders': 'ClassFolderDataset', 'Masks': 'MaskDataset', 'Boxes': 'CocoDataset'}[kind]
    dataset = {'type': f'mobileone_mm.{name}', 'data_root': 'set', 'data_prefix': {'img_path': 'train'}}
    own = config_of({**dataset, 'metainfo': {'classes': ('cat', 'dog')}})
    assert f'put or link the data there (docs/own_data.md, "{kind}"), set data_root' in why(own, DataError('x'))
    assert '(docs/train.md, "The data of the shipped configs"), set' in why(config_of(dataset), DataError('x'))


@pytest.mark.parametrize(
    'dataset',
    [
        {'data_root': 'set', 'data_prefix': {'img_path': 'images', 'seg_map_path': ''}},
        {'data_root': 'no', 'ann_file': 's3://a.json', 'backend_args': {'backend': 'petrel'}},
        {'type': 'CIFAR10'},
    ],
)
def test_other_failures_stay_what_they_are(dataset: dict[str, Any], here: Path) -> None:
    assert why(config_of(dataset), FileNotFoundError('x')) == ''


def test_a_set_that_can_be_built_and_a_fault_of_the_config_are_left_alone(here: Path) -> None:
    config = config_of({'data_root': 'no', 'ann_file': 'a.txt'})
    with explained(config, 'train_dataloader'):
        pass
    assert why(config, ConfigError('x')) == ''


def test_the_pipelines_whose_steps_come_last_are_found() -> None:
    a, b = {'type': 'a', 'pipeline': []}, {'type': 'b'}
    joined = {'type': 'ConcatDataset', 'datasets': [a, {'type': 'RepeatDataset', 'dataset': b}]}
    place = 'train_dataloader.dataset'
    for dataset, expected in (
        (b, [f'{place}.pipeline']),
        (joined, [f'{place}.datasets.0.pipeline', f'{place}.datasets.1.dataset.pipeline']),
        ({'type': 'RepeatDataset', 'dataset': joined}, [f'{place}.dataset.datasets.0.pipeline', 'and so on']),
        ({'type': 'MultiImageMixDataset', 'dataset': joined, 'pipeline': []}, [f'{place}.pipeline']),
    ):
        found = last_pipelines(config_of(dataset), 'train_dataloader')
        assert found[0] == expected[0]
        assert len(found) == len(expected)
    assert last_pipelines(config_of(b), 'val_dataloader') == []


@pytest.mark.parametrize(
    ('scope', 'step'), [('mmdet', 'PackDetInputs'), ('mmseg', 'PackSegInputs'), ('mmpretrain', 'PackInputs')]
)
@pytest.mark.parametrize('item', [{'img': 1, 'inputs': 2}, [1]], ids=['a part', 'a list'])
def test_test_data_that_nothing_packs_are_refused(scope: str, step: str, item: Any) -> None:
    config = Config(
        {'test_dataloader': {'dataset': {'type': 'a'}}, 'default_scope': scope}, cfg_text='x', filename='my.py'
    )
    given = 'img, inputs' if isinstance(item, dict) else 'list'
    with pytest.raises(
        ConfigError,
        match=rf'^my\.py: test_dataloader\.dataset\.pipeline gives {given}, expected inputs and data_samples; end it '
        rf"with the step that packs, dict\(type='{step}'\)$",
    ):
        read_sample(Samples(config, [item], 1), 0)


@pytest.mark.parametrize(
    ('scope', 'step', 'kept', 'lost'),
    [
        ('mmdet', 'mmdet.PackDetInputs', ('IMG_ID', 'img_shape', 'ori_shape'), 'img_id, scale_factor'),
        ('mmseg', 'PackSegInputs', ('img_shape',), 'ori_shape'),
        ('mmdet', 'PackDetInputs', ('img_id', 'img_shape', 'ori_shape', 'scale_factor'), ''),
        ('mmseg', 'PackSegInputs', None, ''),
        ('mmpretrain', 'PackInputs', (), ''),
    ],
)
def test_keys_that_predictions_are_scored_by_are_asked_for(
    scope: str, step: str, kept: tuple[str, ...] | None, lost: str
) -> None:
    packing = {'type': step, **({} if kept is None else {'meta_keys': kept})}
    wrapped = {'type': 'RepeatDataset', 'dataset': {'type': 'a', 'pipeline': [{'type': 'b'}, packing]}}
    config = Config({'val_dataloader': {'dataset': wrapped}, 'default_scope': scope}, cfg_text='x', filename='my.py')
    try:
        require_meta_keys(config)
        said = ''
    except ConfigError as error:
        said = str(error)
    place = 'my.py: val_dataloader.dataset.dataset.pipeline.1.meta_keys'
    assert said == (f'{place} leaves out {lost}, which predictions are scored by: add it' if lost else '')


LOAD, CROP = {'type': 'LoadImageFromFile'}, {'type': 'mmdet.RandomCrop'}
PACK = {'type': 'mmdet.PackDetInputs'}
NOT_GIVEN = "a step of train_dataloader.dataset.pipeline looks for 'img', which no step before it gives"
EARLY = "a step looks for 'img', and what is packed has it no more; put the step that packs last, behind "


@pytest.mark.parametrize(
    ('dataset', 'said'),
    [
        ({'pipeline': [LOAD, CROP, PACK]}, NOT_GIVEN),
        ({'pipeline': [LOAD, CROP]}, NOT_GIVEN),
        ({'pipeline': [LOAD, PACK, CROP]}, f'{EARLY}train_dataloader.dataset.pipeline: RandomCrop'),
        (
            {'datasets': [{'pipeline': [PACK]}, {'dataset': {'pipeline': [PACK, CROP, LOAD]}}]},
            f'{EARLY}train_dataloader.dataset.datasets.1.dataset.pipeline: RandomCrop and LoadImageFromFile',
        ),
        (
            {'pipeline': [{'type': 'mobileone_mm.OneWarp', 'transforms': [LOAD, PACK]}, CROP]},
            f'{EARLY}train_dataloader.dataset.pipeline: RandomCrop',
        ),
    ],
)
def test_what_a_step_looks_for_in_vain_is_explained(dataset: dict[str, Any], said: str) -> None:
    assert why_not_given(KeyError('img'), config_of(dataset), 'train_dataloader') == said
    assert why_not_given(OSError('a.jpg: gone'), config_of(dataset), 'train_dataloader') == 'a.jpg: gone'

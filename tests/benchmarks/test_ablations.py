"""Ablations: each config has the branches that its name says, what is done is not done again, and the table."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from small_classes import write_set

import ablations
from ablations import VARIANTS, Options, Trained, config_text, measured, sizes, table_of, trained
from feeding_chains import written_steps
from mobileone_mm.errors import MobileOneError, UsageError
from mobileone_mm.models.backbones.block import MobileOneBlock

CLASSES = ('daisy', 'rose')
NO_VALIDATION = 'found no val/ with a folder for each class; expected both train/ and val/ with such folders'
RESULT = Trained(parameters=2_000_000, fused=1_000_000, seconds=0.25, loss=1.5, top1=40.0)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    for split in ('train', 'val'):
        for name in CLASSES:
            (tmp_path / 'pictures' / split / name).mkdir(parents=True)
    return Options(tmp_path / 'pictures', epochs=2, size=64, weights=None)


def model_of(text: str, folder: Path) -> Any:
    path = folder / 'variant.py'
    path.write_text(text)
    init_default_scope('mmpretrain')
    return MODELS.build(Config.fromfile(path).model)


@pytest.mark.parametrize('name', VARIANTS)
def test_a_variants_config_has_its_branches(name: str, options: Options, tmp_path: Path) -> None:
    variant = VARIANTS[name]
    model = model_of(config_text(name, 0, options), tmp_path)
    assert model.head.num_classes == len(CLASSES)
    units = [unit for unit in model.backbone.modules() if isinstance(unit, MobileOneBlock)]
    assert len(units) == 43
    _stem, *others = units
    assert {len(unit.rbr_conv) for unit in others} == {variant.k}
    depthwise = [unit for unit in others if unit.kernel_size == 3]
    assert {unit.rbr_scale is not None for unit in depthwise} == {variant.scale}
    same = [unit for unit in others if unit.stride == 1 and unit.in_channels == unit.out_channels]
    assert {unit.rbr_skip is not None for unit in same} == {variant.skip}
    assert {type(unit.se).__name__ for unit in others} == {'SqueezeExcite' if variant.squeeze else 'Identity'}


def test_pictures_are_as_large_in_training_as_in_tests(options: Options, tmp_path: Path) -> None:
    (tmp_path / 'k1.py').write_text(config_text('k1', 0, replace(options, size=96)))
    config = Config.fromfile(tmp_path / 'k1.py')
    assert [step.scale for step in config.train_pipeline if step.type == 'RandomResizedCrop'] == [96]
    assert [step.crop_size for step in config.test_pipeline if step.type == 'CenterCrop'] == [96]


def test_all_variants_but_squeeze_excite_fuse_into_one_size(options: Options, tmp_path: Path) -> None:
    found = {}
    for name in ('k2', 'plain', 'squeeze'):
        path = tmp_path / f'{name}.py'
        path.write_text(config_text(name, 0, options))
        found[name] = sizes(path)
    assert found['k2'][0] > found['plain'][0]
    assert found['k2'][1] == found['plain'][1] == 2_078_504 - 998 * (1024 + 1)  # S0's, with 2 classes of 1000
    assert found['squeeze'][1] > found['plain'][1]


def test_options_reach_the_config(options: Options, tmp_path: Path) -> None:
    weights = tmp_path / 'fused.pth'
    path = tmp_path / 'variant.py'
    for given, checkpoint, lr in ((None, None, 1e-3), (weights, str(weights.resolve()), 1e-4)):
        path.write_text(config_text('k1', 7, replace(options, weights=given)))
        config = Config.fromfile(path)
        assert config.train_cfg.max_epochs == config.train_cfg.val_interval == config.param_scheduler[1].end == 2
        assert written_steps(config.train_dataloader.dataset.pipeline)[1].scale == 64
        assert config.randomness.seed == 7
        assert config.optim_wrapper.optimizer.lr == lr
        init_cfg = config.model.backbone.init_cfg
        assert (init_cfg and init_cfg.checkpoint) == checkpoint


def test_what_is_trained_is_not_trained_again(options: Options, tmp_path: Path) -> None:
    text = config_text('k1', 0, options)
    (tmp_path / 'k1_seed0.py').write_text(text)
    (tmp_path / 'k1_seed0.json').write_text(json.dumps({'written_by': 'mobileone_mm', **asdict(RESULT)}))
    assert trained(tmp_path, 'k1_seed0', text) == RESULT
    with pytest.raises(UsageError, match='was made with other data or options'):
        trained(tmp_path, 'k1_seed0', config_text('k1', 0, replace(options, epochs=3)))


def test_the_end_of_a_training_is_read_from_all_its_logs(tmp_path: Path) -> None:
    with pytest.raises(MobileOneError, match='no log in there tells of a whole training'):
        measured(tmp_path)
    logs = {
        '20260101_000000': [{'loss': 2.0, 'time': 0.5, 'step': 10}],
        '20260102_000000': [
            {'loss': 1.0, 'time': 0.25, 'step': 20},
            {'accuracy/top1': 60.0, 'time': 0.1, 'step': 2},  # its time is that of a validation step
        ],
    }
    for run, lines in logs.items():
        (tmp_path / run / 'vis_data').mkdir(parents=True)
        (tmp_path / run / 'vis_data/scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    assert measured(tmp_path) == {'seconds': 0.25, 'loss': 1.0, 'top1': 60.0}


def test_the_table_has_means_over_seeds_beside_the_papers_accuracy() -> None:
    lines = table_of({'k4': [RESULT, replace(RESULT, top1=50.0)], 'no_skip': [RESULT]}).splitlines()
    assert lines[2:] == [
        '| k4 | 4 | yes | yes | no | 2.00 | 1.00 | 0.25 | 1.50 | 45.0 (40.0 to 50.0) | 71.4 |',
        '| no_skip | 1 | yes | no | no | 2.00 | 1.00 | 0.25 | 1.50 | 40.0 |  |',
    ]


def test_wrong_words_and_folders_are_refused_before_anything_is_made(options: Options, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    for words, message in (
        (['--variants', 'k9'], '--variants: k9 given, expected some of k1, '),
        (['--weights', str(tmp_path / 'none.pth')], 'none.pth: no such file'),
    ):
        with pytest.raises(UsageError, match=message):
            ablations.main([str(options.data), '--out', str(out), *words])
    with pytest.raises(UsageError, match='expected class folders to train on'):
        ablations.main([str(options.data / 'train'), '--out', str(out)])
    (options.data / 'val').rename(tmp_path / 'val')
    with pytest.raises(UsageError, match=NO_VALIDATION):
        ablations.main([str(options.data), '--out', str(out)])
    flat = write_set(tmp_path / 'flat', daisy=2, rose=2)
    with pytest.raises(UsageError, match=NO_VALIDATION):
        ablations.main([str(flat), '--out', str(out)])
    assert not out.exists()
    (tmp_path / 'val').rename(options.data / 'val')
    with pytest.raises(UsageError, match="not a folder of the benchmark 'ablations'"):
        ablations.main([str(options.data), '--out', str(options.data)])


def test_squeeze_excite_is_left_out_with_weights_that_have_none(
    options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / 'fused.pth'
    weights.touch()
    assert ablations._possible(list(VARIANTS), replace(options, weights=weights)) == [*VARIANTS][:-1]
    assert 'left out: squeeze' in capsys.readouterr().err
    assert ablations._possible(list(VARIANTS), options) == [*VARIANTS]

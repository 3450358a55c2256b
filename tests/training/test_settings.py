"""The config that is trained with is the one that the packages' own tools would train with."""

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import DATASETS as MMSEG_DATASETS

from mobileone_mm.datasets.masks import MaskDataset
from mobileone_mm.errors import CheckpointError, ConfigError, UsageError
from mobileone_mm.training import settings
from mobileone_mm.training.settings import Options

LOADER = "dict(batch_size=2, num_workers=2, dataset=dict(type='Any'), sampler=dict(type='DefaultSampler'))"
CONFIG = f"""
default_scope = {{scope!r}}
model = dict(type='Any')
train_dataloader = {LOADER}
val_dataloader = {LOADER}
test_dataloader = {LOADER}
test_evaluator = dict(type='Any')
train_cfg = dict(by_epoch=True, max_epochs=2)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
auto_scale_lr = dict(enable=False, base_batch_size=16)
"""
SCOPES = ('mmdet', 'mmseg', 'mmpretrain')


class ReachedRunner(Exception):
    """The tool is done with the config."""


def by_the_tool(monkeypatch: pytest.MonkeyPatch, scope: str, tool: str, *words: str) -> dict[str, Any]:
    """What a package's own tools/TOOL.py hands to mmengine."""
    handed = []

    def from_cfg(config: Config) -> None:
        handed.append(config)
        raise ReachedRunner

    spec = find_spec(scope)
    assert spec is not None
    assert spec.origin is not None
    monkeypatch.setattr(Runner, 'from_cfg', from_cfg)
    monkeypatch.setattr(sys, 'argv', [tool, *words])
    with pytest.raises(ReachedRunner):
        runpy.run_path(str(Path(spec.origin).parent / f'.mim/tools/{tool}.py'), run_name='__main__')
    return comparable(handed[0])


def comparable(config: Config) -> dict[str, Any]:
    content: dict[str, Any] = config.to_dict()
    for loader in settings.LOADERS:  # a test keeps no workers; nothing is computed by it
        content[loader].pop('persistent_workers', None)
    return {
        **content,
        'work_dir': str(Path(content['work_dir'])),
        'resume': content.get('resume', False),
        'load_from': content.get('load_from'),
    }


@pytest.fixture(params=SCOPES)
def scope(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the tools would leave behind
    write(request.param)
    Path('old.pth').touch()
    scope: str = request.param
    return scope


def write(scope: str, more: str = '') -> None:
    Path('any.py').write_text(CONFIG.format(scope=scope) + more)


CHANGES = ('train_cfg.max_epochs=7', 'model.out=[1,(2,3)]', 'train_dataloader.num_workers=1')
CASES = [
    ([], Options()),
    (['--work-dir', 'elsewhere'], Options(work_dir='elsewhere')),
    (['--amp'], Options(amp=True)),
    (['--resume'], Options(resume='auto')),
    (['--cfg-options', 'work_dir=theirs'], Options(cfg_options=('work_dir=theirs',))),
    (['--cfg-options', *CHANGES], Options(cfg_options=CHANGES)),
]
NOT_OF_MMSEG = [
    (['--resume', 'old.pth'], Options(resume='old.pth')),
    (['--auto-scale-lr'], Options(auto_scale_lr=True)),
]


@pytest.mark.parametrize(('words', 'options'), CASES)
def test_training_is_set_up_as_by_the_packages_own_tools(
    words: list[str], options: Options, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_the_tool(monkeypatch, scope, 'train', 'any.py', *words)
    assert comparable(settings.training_config('any.py', options)) == expected


@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain'], indirect=True)
@pytest.mark.parametrize(('words', 'options'), NOT_OF_MMSEG)
def test_so_are_the_options_that_mmseg_does_not_have(
    words: list[str], options: Options, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_the_tool(monkeypatch, scope, 'train', 'any.py', *words)
    assert comparable(settings.training_config('any.py', options)) == expected


def test_testing_is_set_up_as_by_the_packages_own_tools(scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ['--work-dir', 'elsewhere', '--cfg-options', 'model.arch=s1']
    expected = by_the_tool(monkeypatch, scope, 'test', 'any.py', 'old.pth', *words)
    if scope == 'mmpretrain':  # whose tool leaves the other loaders alone
        for loader in settings.LOADERS[:2]:
            expected[loader] |= {'pin_memory': True, 'collate_fn': {'type': 'default_collate'}}
    found = settings.test_config('any.py', 'old.pth', Options('elsewhere', ('model.arch=s1',)))
    assert comparable(found) == expected


@pytest.mark.parametrize('variables', [{'RANK': '1', 'WORLD_SIZE': '2'}, {'RANK': '1'}, {}])
def test_torchrun_is_noticed(variables: dict[str, str], scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    launcher = settings.training_config('any.py', Options()).launcher
    assert launcher == ('pytorch' if len(variables) == 2 else 'none')


@pytest.mark.parametrize(
    ('more', 'options', 'error', 'message'),
    [
        ('', Options(cfg_options=('abc',)), UsageError, "'abc' given, expected KEY=VALUE"),
        ('', Options(cfg_options=('a=(1,2',)), UsageError, 'Imbalanced brackets'),
        ('', Options(cfg_options=('default_scope.x.y=1',)), ConfigError, '`cfg_options` cannot be put into it'),
        ('', Options(resume='none.pth'), CheckpointError, 'none.pth: no such checkpoint'),
        ('train_cfg = None', Options(), ConfigError, 'there is nothing to train'),
        ('auto_scale_lr = None', Options(auto_scale_lr=True), ConfigError, 'expected auto_scale_lr=dict'),
        ("optim_wrapper['type'] = 'OtherWrapper'", Options(amp=True), ConfigError, 'the config has OtherWrapper'),
    ],
)
def test_what_cannot_be_meant_is_refused(
    more: str, options: Options, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', more)
    with pytest.raises(error, match=message):
        settings.training_config('any.py', options)


@pytest.mark.parametrize(
    ('options', 'kept'),
    [
        (Options('RB', resume='wA/epoch_1.pth'), 'RB/epoch_2.pth'),
        (Options('RB', ('resume=True', 'load_from=wA/epoch_1.pth')), 'RB/epoch_2.pth'),
        (Options('RB'), 'RB/epoch_2.pth'),
        (Options('new/RB', ('default_hooks.checkpoint.out_dir=out',), 'auto'), 'out/RB/epoch_2.pth'),
        (Options('new/RB', ('default_hooks.checkpoint.out_dir=out',), 'wA/epoch_1.pth'), 'out/RB/epoch_2.pth'),
        (Options('new/RB', ('default_hooks.checkpoint.out_dir=out',)), 'out/RB/epoch_2.pth'),
    ],
)
def test_no_training_begins_where_another_left_checkpoints(
    options: Options, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', "default_hooks = dict(checkpoint=dict(type='CheckpointHook', out_dir=None))")
    for path in (Path(kept), Path('wA/epoch_1.pth')):
        path.parent.mkdir(parents=True)
        path.touch()
    Path('new/RB').mkdir(parents=True)
    Path('new/RB/last_checkpoint').write_text('wA/epoch_1.pth')
    with pytest.raises(UsageError, match=rf'{Path(kept).parent}: holds epoch_2\.pth, and a .*training'):
        settings.training_config('any.py', options)


@pytest.mark.parametrize('key', ['max_epochs', 'max_iters', 'val_interval'])
@pytest.mark.parametrize('value', [-1, 0, 2.5, 'x', True, None])
def test_a_length_that_trains_nothing_is_refused(
    key: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', f'train_cfg.update({key}={value!r})')
    with pytest.raises(
        ConfigError, match=rf'^any\.py: train_cfg\.{key} is {value!r}; expected a whole number, at least 1$'
    ):
        settings.training_config('any.py', Options())
    assert [path.name for path in Path().iterdir()] == ['any.py']


def test_a_length_may_be_written_as_mmengine_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', 'train_cfg = dict(max_iters=1e4, val_interval=500)')
    assert settings.training_config('any.py', Options()).train_cfg.max_iters == 10000


@pytest.mark.parametrize('option', ['max_epochs=1', 'size.width=64'])
def test_a_variable_of_the_file_is_refused_for_its_lines_are_evaluated(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', 'max_epochs = 3\nsize = dict(width=32)\ntrain_cfg.update(max_epochs=max_epochs)')
    name = option.partition('=')[0]
    with pytest.raises(
        ConfigError, match=f'any.py: `cfg_options`: {name} given, which would change nothing'
    ) as refused:
        settings.training_config('any.py', Options(cfg_options=('train_cfg.max_epochs=2', option)))
    assert 'change it in the file, or give what they set, such as train_cfg.max_epochs=12' in str(refused.value)


KEPT = ('randomness.seed=3', 'log_level=ERROR', 'sync_bn=torch', 'env_cfg.cudnn_benchmark=True', 'compile=False')


@pytest.mark.parametrize('option', [*KEPT, 'load_from=w.pth', 'test_cfg.fp16=True', 'new=1'])
def test_what_is_read_is_taken(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = option.partition('=')[0].partition('.')[0]
    write('mmdet', '' if name == 'new' else f'{name} = dict()' if '.' in option.partition('=')[0] else f'{name} = None')
    assert settings.training_config('any.py', Options(cfg_options=(option,)))[name] not in ({}, None)


@pytest.mark.parametrize(
    ('key', 'meant'),
    [
        ('optim_wrapper.optimiser.lr', 'optim_wrapper.optimizer.lr'),
        ('train_cfg.max_epoch', 'train_cfg.max_epochs'),
        ('trian_cfg.max_epochs', 'train_cfg.max_epochs'),
        ('load_frm', 'load_from'),  # which the config does not set
        ('steps.0.edn', 'steps.0.end'),
        ('optim_wrapper.optimizer.lr', None),
        ('optim_wrapper.clip_grad.max_norm', None),
        ('steps.0.end', None),
        ('randomness.seed', None),
    ],
)
def test_a_new_key_that_is_like_another_gets_a_warning_and_is_taken(
    key: str, meant: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', "\nmodel['steps'] = [dict(end=3)]\ntrain_cfg.update(max_epochs=3)")
    key, meant = (word and word.replace('steps', 'model.steps') for word in (key, meant))
    config = settings.training_config('any.py', Options(cfg_options=(f'{key}=7',)))
    said = [record.getMessage() for record in caplog.records]
    assert said == ([f'`cfg_options`: {key} is new in this config; did you mean {meant}?'] if meant else [])
    node: Any = config
    for name in key.split('.'):
        node = node[int(name) if name.isdecimal() else name]
    assert node == 7


def test_mixed_precision_that_is_configured_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmdet', "optim_wrapper.update(type='AmpOptimWrapper', loss_scale=512.0)")
    assert settings.training_config('any.py', Options(amp=True)).optim_wrapper.loss_scale == 512.0


def in_wrappers(kind: str) -> str:
    """Lines of a config whose training data are two sets, joined and repeated, and whose validation data are one."""
    return f"""
one = dict(type={kind!r})
joined = dict(type='ConcatDataset', datasets=[one, dict(type='BaseSegDataset')])
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=2, dataset=joined))
val_dataloader = dict(dataset=dict(type={kind!r}, check=True))
test_dataloader = None
"""


@pytest.mark.parametrize(
    ('model', 'init_cfg'),
    [
        ("dict(backbone=dict(type='Any'))", {'type': 'Pretrained', 'checkpoint': 'old.pth'}),
        (
            "dict(backbone=dict(type='Any', init_cfg=dict(type='Pretrained', checkpoint='a.pth', without_se=True)))",
            {'type': 'Pretrained', 'checkpoint': 'old.pth', 'without_se': True},
        ),
        (
            "dict(backbone=dict(type='Any', init_cfg=[dict(type='Normal'), dict(type='Pretrained', without_se=True)]))",
            {'type': 'Pretrained', 'checkpoint': 'old.pth', 'without_se': True},
        ),
        (
            "dict(backbone=dict(type='Any', init_cfg=[dict(type='Normal', layer='Conv2d')]))",
            {'type': 'Pretrained', 'checkpoint': 'old.pth'},
        ),
    ],
)
def test_weights_take_the_place_of_the_configs_and_keep_how_they_are_read(
    model: str, init_cfg: dict[str, object], scope: str
) -> None:
    write(scope, f'model = {model}')
    assert settings.training_config('any.py', Options(weights='old.pth')).model.backbone.init_cfg == init_cfg


@pytest.mark.parametrize(
    ('more', 'named'),
    [
        ("model.update(init_cfg=dict(type='Pretrained', checkpoint='whole.pth'))", 'model.init_cfg'),
        ("model.update(pretrained='whole.pth')", 'model.pretrained'),
        ("load_from = 'whole.pth'", 'load_from'),
    ],
)
def test_weights_that_another_file_would_replace_are_refused(more: str, named: str, scope: str) -> None:
    write(scope, f"model = dict(backbone=dict(type='Any'))\n{more}")
    with pytest.raises(ConfigError, match=rf'but {named} of this config fills the backbone after that; set {named} '):
        settings.training_config('any.py', Options(weights='old.pth'))


def test_weights_that_a_resumed_run_does_not_read_may_be_gone(scope: str) -> None:
    write(scope, "model = dict(backbone=dict(type='Any'))")
    config = settings.training_config('any.py', Options(weights='gone.pth', resume='old.pth'))
    assert config.model.backbone.init_cfg.checkpoint == 'gone.pth'


def test_the_student_of_a_distillation_is_filled_by_another_key() -> None:
    with pytest.raises(ConfigError, match=r'model\.init_cfg of this config fills the backbone after that'):
        settings.training_config('mobileone_s0_distill_in1k', Options(weights=__file__))


def test_weights_need_a_backbone_and_a_file(scope: str) -> None:
    with pytest.raises(
        ConfigError, match=r'any\.py: `weights` given, which are for `model\.backbone`, and this config'
    ):
        settings.training_config('any.py', Options(weights='old.pth'))
    write(scope, "model = dict(backbone=dict(type='Any'))")
    with pytest.raises(CheckpointError, match=r'^no\.pth: no such weight file$'):
        settings.training_config('any.py', Options(weights='no.pth'))


@pytest.mark.parametrize(
    ('scope', 'kind', 'other'),
    [
        ('mmseg', 'mobileone_mm.MaskDataset', 'BaseSegDataset'),
        ('mmdet', 'mobileone_mm.CocoDataset', 'CocoDataset'),
        ('mmdet', 'mobileone_mm.VOCDataset', 'VOCDataset'),
    ],
)
def test_no_check_reaches_ours_in_wrappers_and_nothing_else(
    scope: str, kind: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(scope, in_wrappers(kind).replace('BaseSegDataset', other))
    config = settings.training_config('any.py', Options(no_check=True))
    ours = {'type': kind, 'check': False}
    assert config.train_dataloader.dataset.dataset.datasets == [ours, {'type': other}]
    assert config.val_dataloader.dataset == ours
    assert 'check' not in settings.training_config('any.py', Options()).train_dataloader.dataset.dataset.datasets[0]


def test_no_check_reaches_a_users_own_kind_of_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @MMSEG_DATASETS.register_module()
    class OwnMasks(MaskDataset):
        """Of a user's."""

    monkeypatch.chdir(tmp_path)
    try:
        write('mmseg', in_wrappers('OwnMasks'))
        config = settings.training_config('any.py', Options(no_check=True))
    finally:
        MMSEG_DATASETS.module_dict.pop('OwnMasks')
    assert config.val_dataloader.dataset.check is False


def test_no_check_reaches_class_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write('mmpretrain', in_wrappers('mobileone_mm.ClassFolderDataset').replace("'BaseSegDataset'", "'ImageNet'"))
    config = settings.training_config('any.py', Options(no_check=True))
    ours = {'type': 'mobileone_mm.ClassFolderDataset', 'check': False}
    assert config.train_dataloader.dataset.dataset.datasets == [ours, {'type': 'ImageNet'}]
    assert config.val_dataloader.dataset == ours


@pytest.mark.parametrize(
    ('scope', 'kind'),
    [('mmseg', 'PascalVOCDataset'), ('mmdet', 'CocoDataset'), ('mmpretrain', 'ImageNet')],
)
def test_no_check_is_refused_where_there_is_none(
    scope: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(scope, in_wrappers(kind).replace("'BaseSegDataset'", repr(kind)))
    with pytest.raises(ConfigError, match=r'any\.py: `no_check` leaves out the look into every file') as refused:
        settings.training_config('any.py', Options(no_check=True))
    assert 'this config has none of these' in str(refused.value)
    assert '\n' not in str(refused.value)

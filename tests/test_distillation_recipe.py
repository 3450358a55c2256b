"""The configs of distillation: the recipe of MEAL V2, epoch by epoch, and a run from its first step to an ONNX file."""

import itertools
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.hooks import ParamSchedulerHook
from tiny_teachers import teachers  # noqa: F401 - a fixture
from trainable_classifier import ARCH, CONFIGS, PICTURES, write_imagenet

from mobileone_mm import open_artifact
from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.commands import export, fuse, test, train
from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.weights import names
from mobileone_mm.weights.checkpoint import read_checkpoint, save_checkpoint

from .conftest import forget_hosts
from .test_classification_recipe import groups_of, hook_of, prepared, strengths

VARIANTS = ('s0', 's1', 's2', 's3', 's4')
EPOCHS, BATCH, SIDE = 180, 512, 224
FIRST = 101  # epochs with the first learning rate
IN_THE_PAPER = {'s0': 72.5, 's1': 77.4, 's2': 79.1, 's3': 80.0, 's4': 81.4}  # table 10
OWN = ('type', 'teachers', 'init_cfg')  # what a distillation adds to a model
TINY = """
_base_ = {base!r}
model = dict(
    backbone=dict(arch=dict(_delete_=True, **{arch})),
    head=dict(in_channels=32),
{more}
)
root = dict(data_root={data!r})
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, pin_memory=False, dataset=root)
val_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, pin_memory=False, dataset=root)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))
randomness = dict(seed=0)
work_dir = {work_dir!r}
"""


def test_every_epoch_is_meal_v2s(tmp_path: Path) -> None:
    runner = prepared('mobileone_s0_distill_in1k', tmp_path, batch=BATCH // 8)  # which the learning rate follows
    groups = [*{id(group): group for group in groups_of(runner).values()}.values()]  # of the student alone
    schedulers = hook_of(runner, ParamSchedulerHook.__name__)
    assert runner.max_epochs == EPOCHS
    for epoch in range(EPOCHS):
        for group in groups:
            assert group['lr'] == pytest.approx((0.01 if epoch < FIRST else 0.001) / 8, rel=1e-9), epoch
            assert (group['weight_decay'], group['momentum'], group['nesterov']) == (0.0, 0.9, False)
        runner.optim_wrapper.step()  # without gradients
        schedulers.after_train_epoch(runner)
    assert 'SwitchRecipeHook' not in {type(hook).__name__ for hook in runner.hooks}
    assert strengths(runner) == []
    assert runner.train_dataloader.dataset[0]['inputs'].shape == (3, SIDE, SIDE)


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_student_is_the_plain_classifier_from_its_own_weights(variant: str, tmp_path: Path) -> None:
    config, plain = (configs.load_config(f'mobileone_{variant}{word}_in1k') for word in ('_distill', ''))
    of_s0 = configs.load_config('mobileone_s0_distill_in1k')
    assert all(config[key] == of_s0[key] for key in of_s0 if key != 'model')  # one recipe for all
    assert {key: value for key, value in config.model.items() if key not in OWN} == {
        key: value for key, value in plain.model.items() if key != 'type'
    }
    assert config.model.init_cfg == {'type': 'Pretrained', 'checkpoint': names.OFFICIAL_URLS[variant, 'trained']}
    assert [teacher.name for teacher in config.model.teachers] == [
        'timm:senet154.gluon_in1k',
        'timm:resnet152s.gluon_in1k',
    ]
    kept = ('val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator', 'default_hooks', 'visualizer')
    assert all(config[key] == plain[key] for key in kept)
    assert config.custom_hooks == [hook for hook in plain.custom_hooks if hook.type != 'SwitchRecipeHook']
    with torch.device('meta'):
        state, expected = (
            {name: value.shape for name, value in configs.build_model(one).state_dict().items()}
            for one in (config, plain)
        )
    assert list(state.items()) == list(expected.items())
    entries = yaml.safe_load((CONFIGS / 'metafile.yml').read_text())['Models']
    (said,) = [entry for entry in entries if entry['Name'] == f'mobileone_{variant}_distill_in1k']
    assert said['Metadata']['Epochs'] == EPOCHS
    assert said['Results'][0]['Metrics'] == {'Top 1 Accuracy in the paper': IN_THE_PAPER[variant]}
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()


def test_the_teachers_are_known_to_timm_with_weights() -> None:
    timm = pytest.importorskip('timm')
    for teacher in configs.load_config('mobileone_s0_distill_in1k').model.teachers:
        card = timm.models.get_pretrained_cfg(teacher.name.removeprefix('timm:'))
        assert (card.num_classes, card.input_size, card.fixed_input_size) == (1000, (3, SIDE, SIDE), False)
        assert card.has_weights


def written(folder: Path, base: str, name: str, more: str = '') -> Path:
    """A shipped config above a tiny net and four drawn pictures."""
    if not (folder / 'data').exists():
        write_imagenet(folder / 'data')
    work_dir, data = folder / f'work_{name}', folder / 'data'
    text = TINY.format(base=str(CONFIGS / f'{base}.py'), arch=ARCH, more=more, data=str(data), work_dir=str(work_dir))
    (folder / f'{name}.py').write_text(text)
    return folder / f'{name}.py'


@pytest.fixture(scope='module')
def files(teachers: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A folder with a distillation of a tiny net from random weights of its own, trained for two epochs.

    `distilled.py` is its config, `plain.py` that of the same net without teachers.
    """
    folder = tmp_path_factory.mktemp('distilled')
    plain = configs.load_config(written(folder, 'mobileone_s0_in1k', 'plain'))
    save_checkpoint(folder / 'student.pth', configs.build_model(plain).state_dict(), {})
    more = f'    teachers={teachers!r},\n    init_cfg=dict(checkpoint={str(folder / "student.pth")!r}),'
    done(train.main, written(folder, 'mobileone_s0_distill_in1k', 'distilled', more))
    return folder


def done(main: Any, *words: Any) -> str:
    """What a command that succeeds prints."""
    forget_hosts()
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert main([str(word) for word in words]) == 0
    return said.getvalue()


def stored(path: Path) -> Any:
    """All that is in a file, not by what is tested."""
    return torch.load(path, weights_only=True)  # noqa: TID251


def test_a_checkpoint_holds_the_student_alone(files: Path) -> None:
    work = files / 'work_distilled'
    log = next(work.glob('*/*.log')).read_text()
    assert 'teacher timm:test_resnet.r160_in1k: 0.5 M parameters' in log
    assert 'loss_soft' in log
    plain = configs.build_model(configs.load_config(files / 'plain.py'))
    expected = plain.state_dict()
    found = stored(work / 'epoch_2.pth')
    assert list(found['state_dict']) == list(expected)
    assert set(found['ema_state_dict']) == {'steps', *(f'module.{name}' for name in expected)}
    assert sum(len(group['params']) for group in found['optimizer']['param_groups']) == len([*plain.parameters()])
    start = read_checkpoint(files / 'student.pth').state_dict['head.fc.weight']
    moved = (found['state_dict']['head.fc.weight'] - start).abs().max()
    assert 0 < moved < 0.1  # from its own weights, and not from others


def without_teachers(files: Path, folder: Path) -> Path:
    """A copy of `distilled.py` with MEAL V2's teachers, which nobody can fetch here."""
    text = (files / 'distilled.py').read_text()
    start, end = text.index('    teachers='), text.index('    init_cfg=')
    (folder / 'distilled.py').write_text(text[:start] + text[end:])
    return folder / 'distilled.py'


def test_it_is_tested_fused_and_exported_without_its_teachers(files: Path, tmp_path: Path) -> None:
    last, own, plain = files / 'work_distilled/epoch_2.pth', without_teachers(files, tmp_path), files / 'plain.py'
    scores = [done(test.main, one, last, '--work-dir', tmp_path / one.stem).split('next:')[0] for one in (own, plain)]
    assert 'accuracy/top1' in scores[0]
    assert [line for line in scores[0].splitlines() if 'accuracy' in line] == [
        line for line in scores[1].splitlines() if 'accuracy' in line
    ]
    done(fuse.main, own, last, '--out', tmp_path / 'fused.pth')
    noise = torch.randn(2, 3, 64, 64)
    fused, trained, plainly = (
        open_model(configs.load_config(one), path)[0](noise)
        for one, path in ((tmp_path / 'fused.py', tmp_path / 'fused.pth'), (own, last), (plain, last))
    )
    assert torch.equal(trained, plainly)
    torch.testing.assert_close(fused, trained, rtol=1e-3, atol=1e-4)
    ready = stored(last.with_name('epoch_2_fused.pth'))['state_dict']  # left by SaveFusedHook
    assert ready.keys() == stored(tmp_path / 'fused.pth')['state_dict'].keys()
    done(export.main, own, last, '--out', tmp_path / 'distilled.onnx')  # checked against the trained model on the way
    card = open_artifact(tmp_path / 'distilled.onnx').card
    assert (card.task, len(card.classes)) == ('classification', 1000)


def test_the_plain_config_fuses_and_exports_it_to_the_same_as_its_own(files: Path, tmp_path: Path) -> None:
    last = files / 'work_distilled/epoch_2.pth'
    assert "type='mobileone_mm.DistilledClassifier'" in stored(last)['meta']['cfg']  # which says how it was trained
    fused, exported = [], []
    for config in (without_teachers(files, tmp_path), files / 'plain.py'):
        weights, file = (tmp_path / f'{config.stem}_{end}' for end in ('fused.pth', 'export.onnx'))
        done(fuse.main, config, last, '--out', weights)
        fused.append(stored(weights)['state_dict'])
        done(export.main, config, last, '--out', file)
        artifact = open_artifact(file)
        exported.append(artifact.saved.runner.predict({IMAGE: drawn_picture(artifact.card.input_size)}))
    assert fused[0].keys() == fused[1].keys()
    assert all(torch.equal(value, fused[1][name]) for name, value in fused[0].items())
    assert exported[0].keys() == exported[1].keys()
    assert all(np.array_equal(value, exported[1][name]) for name, value in exported[0].items())
    assert {value.size for value in exported[0].values()} == {1000}


def test_a_run_goes_on_and_begins_where_it_is_told(files: Path, tmp_path: Path) -> None:
    config, work = files / 'distilled.py', tmp_path / 'work'
    shutil.copytree(files / 'work_distilled', work)
    last, student = work / 'epoch_2.pth', files / 'student.pth'
    (work / 'last_checkpoint').write_text(str(last))
    start = student.read_bytes()
    student.unlink()  # a resumed run reads it no more
    words = [config, '--work-dir', work, '--resume', '--cfg-options', 'train_cfg.max_epochs=3']
    try:
        assert 'goes on after epoch 2' in done(train.main, *words)
    finally:
        student.write_bytes(start)
    assert stored(work / 'epoch_3.pth')['ema_state_dict']['steps'] == 3 * PICTURES // 2

    options = [f'load_from={last}', 'train_cfg.max_epochs=1', 'optim_wrapper.optimizer.lr=0.0']
    done(train.main, config, '--work-dir', tmp_path / 'again', '--cfg-options', *options)
    given, found = (stored(path)['state_dict'] for path in (last, tmp_path / 'again/epoch_1.pth'))
    for name in ('head.fc.weight', 'backbone.stage0.rbr_conv.0.conv.weight'):
        assert torch.equal(found[name], given[name])


def test_a_shipped_config_is_trained_by_name_and_its_teachers_named_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('timm')
    monkeypatch.chdir(tmp_path)
    write_imagenet(tmp_path / 'data/imagenet')
    loaders = itertools.product(('train', 'val', 'test'), ('num_workers=0', 'persistent_workers=False', 'batch_size=2'))
    words = [f'{name}_dataloader.{setting}' for name, setting in loaders]
    words += ['model.init_cfg=None', 'model.teachers.0.name=timm:nothing.at_all']
    with pytest.raises(ConfigError, match=r'teacher timm:nothing\.at_all: no such model'):
        train.main(['mobileone_s0_distill_in1k', '--cfg-options', *words])

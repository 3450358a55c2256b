"""A config against the one that is written in a checkpoint: what must not differ, what may, and that no code runs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config, ConfigDict

from mobileone_mm import cli
from mobileone_mm.commands import export, fuse, predict
from mobileone_mm.errors import CheckpointError
from mobileone_mm.exporter.export import export as export_model
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.openmmlab.trained_with import read_config
from mobileone_mm.pictures.reading import write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse as fused
from mobileone_mm.weights.checkpoint import read_checkpoint, save_checkpoint
from tiny_detector import CLASSES, SIZE

Change = Callable[[Config], None]
Files = tuple[Path, Path]


def checkpoint(folder: Path, detector: Files, **meta: Any) -> Path:
    """The tiny detector's weights as a training leaves them, with the config as text."""
    source = read_checkpoint(detector[1])
    text = configs.load_config(detector[0]).pretty_text
    save_checkpoint(folder / 'epoch_1.pth', source.state_dict, {**source.meta, 'cfg': text, **meta})
    return folder / 'epoch_1.pth'


def changed_config(folder: Path, detector: Files, change: Change) -> Path:
    config = configs.load_config(detector[0])
    change(config)
    config.dump(folder / 'mine.py')
    return folder / 'mine.py'


def setting(key: str, value: Any) -> Change:
    *path, last = key.split('.')

    def change(config: Config) -> None:
        node: Any = config
        for name in path:
            node = node.setdefault(name, ConfigDict()) if isinstance(node, dict) else getattr(node, name)
        node[last] = value

    return change


def without(key: str) -> Change:
    *path, last = key.split('.')

    def change(config: Config) -> None:
        node: Any = config
        for name in path:
            node = node[name]
        del node[last]

    return change


PREPROCESSOR, CODER = 'model.data_preprocessor', 'model.bbox_head.bbox_coder'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            setting(f'{PREPROCESSOR}.mean', [0, 0, 0]),
            rf'{PREPROCESSOR}\.mean is \[123\.675, .*\] there, \[0, 0, 0\] here',
        ),
        (setting(f'{PREPROCESSOR}.std', [1, 1, 1]), rf'{PREPROCESSOR}\.std is \[58\.395, .*\] there, \[1, 1, 1\] here'),
        (setting(f'{PREPROCESSOR}.bgr_to_rgb', False), rf'{PREPROCESSOR}\.bgr_to_rgb is True there, False here'),
        (without(PREPROCESSOR), r'model\.data_preprocessor is \{.* there, None here'),
        (
            without(f'{CODER}.target_stds'),
            rf'{CODER}\.target_stds is \[0\.1, .*\] there, \(1\.0, 1\.0, 1\.0, 1\.0\) here',
        ),
        (setting(f'{CODER}.target_means', [0.1] * 4), rf'{CODER}\.target_means is '),
        (setting('model.bbox_head.anchor_generator.strides', [8, 32, 64, 96]), r'anchor_generator\.strides is '),
        (
            setting('model.bbox_head.act_cfg', {'type': 'ReLU'}),
            r'bbox_head\.act_cfg\.type is .ReLU6. there, .ReLU. here',
        ),
        (setting('model.neck.norm_cfg.eps', 1e-5), r'neck\.norm_cfg\.eps is 0\.001 there, 1e-05 here'),
    ],
)
def test_another_model_is_refused_key_by_key(change: Change, message: str, detector: Files, tmp_path: Path) -> None:
    trained, given = checkpoint(tmp_path, detector), changed_config(tmp_path, detector, change)
    with pytest.raises(
        CheckpointError, match=rf'^{trained}: trained with another config than {given}: .*{message}'
    ) as e:
        open_model(configs.load_config(given), trained)
    assert str(e.value).endswith('; give the config it was trained with, or `config_wins` where yours is meant')
    open_model(configs.load_config(given), trained, config_wins=True)
    open_model(configs.load_config(given), detector[1])  # which says nothing of its config


def freely(config: Config) -> None:
    """All that may differ, at once."""
    model = config.model
    model.backbone.update(init_cfg={'type': 'Pretrained', 'checkpoint': '/a/b.pth'}, norm_eval=True, with_cp=True)
    model.backbone.train_impl = 'auto'
    model.backbone.update(frozen_stages=1)
    model.train_cfg = {'assigner': {'type': 'MaxIoUAssigner', 'pos_iou_thr': 0.5, 'neg_iou_thr': 0.5}}
    model.test_cfg.update(score_thr=0.3, nms={'type': 'nms', 'iou_threshold': 0.6})
    model.bbox_head.norm_cfg.update(type='SyncBN', requires_grad=False)
    model.bbox_head.anchor_generator.ratios = tuple(map(tuple, model.bbox_head.anchor_generator.ratios))
    model.bbox_head.bbox_coder.update(clip_border=True)  # its default, said
    model.neck.conv_cfg = None
    model.data_preprocessor.update(pad_size_divisor=32, type='mmdet.DetDataPreprocessor')
    config.work_dir, config.load_from = '/elsewhere', '/a/c.pth'


def test_what_is_for_training_or_for_the_user_to_choose_may_differ(detector: Files, tmp_path: Path) -> None:
    given = configs.load_config(changed_config(tmp_path, detector, freely))
    open_model(given, checkpoint(tmp_path, detector))


def test_the_fused_and_the_trained_config_of_one_model_are_the_same(detector: Files, tmp_path: Path) -> None:
    trained = checkpoint(tmp_path, detector)
    assert cli.run(fuse.main, [str(detector[0]), str(trained), '--out', str(tmp_path / 'fused.pth')]) == 0
    for config in (detector[0], tmp_path / 'fused.py'):
        open_model(configs.load_config(config), tmp_path / 'fused.pth')
    wrong = changed_config(tmp_path, detector, setting(f'{PREPROCESSOR}.mean', [0, 0, 0]))
    with pytest.raises(CheckpointError, match='trained with another config'):
        open_model(configs.load_config(wrong), tmp_path / 'fused.pth')


@pytest.mark.parametrize('classes', [CLASSES[::-1], ('circle', 'square', 'star')])
@pytest.mark.parametrize('said', ['dataset_meta', 'cfg'])
def test_other_classes_are_refused_with_both_lists(
    said: str, classes: tuple[str, ...], detector: Files, tmp_path: Path
) -> None:
    trained = checkpoint(tmp_path, detector, **({'cfg': ''} if said == 'dataset_meta' else {'dataset_meta': {}}))
    given = changed_config(tmp_path, detector, setting('test_dataloader.dataset.metainfo', {'classes': classes}))
    lists = re.escape(f'trained on the classes {CLASSES}, {given} names {classes}; give the config')
    with pytest.raises(CheckpointError, match=f'^{trained}: {lists}'):
        open_model(configs.load_config(given), trained)
    open_model(configs.load_config(given), trained, config_wins=True)


def test_every_command_asks_and_takes_the_users_word(
    detector: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = checkpoint(tmp_path, detector)
    given = changed_config(tmp_path, detector, setting(f'{PREPROCESSOR}.mean', [0, 0, 0]))
    write_picture(tmp_path / 'a.png', drawn_picture(SIZE))
    files, out = [str(given), str(trained)], str(tmp_path / 'out')
    for main, words in (
        (export.main, [*files, '--out', f'{out}.onnx']),
        (fuse.main, [*files, '--out', f'{out}.pth']),
        (predict.main, [*files, str(tmp_path / 'a.png'), '--out', out]),
    ):
        assert cli.run(main, words) == 1
        printed = capsys.readouterr()
        assert 'there, [0, 0, 0] here; give the config it was trained with, or --config-wins' in printed.err
        assert printed.err.count('\n') == 1
        assert not [path for path in tmp_path.iterdir() if path.name.startswith('out')]
    assert cli.run(fuse.main, [*files, '--out', f'{out}.pth', '--config-wins']) == 0
    assert 'trained with another config: model.data_preprocessor.mean' in capsys.readouterr().err


def test_from_python(detector: Files, tmp_path: Path) -> None:
    given = changed_config(tmp_path, detector, setting(f'{PREPROCESSOR}.mean', [0, 0, 0]))
    trained = checkpoint(tmp_path, detector)
    with pytest.raises(CheckpointError, match='trained with another config'):
        export_model(given, trained, tmp_path / 'd.onnx')
    report = export_model(given, trained, tmp_path / 'd.onnx', config_wins=True)
    assert report.info.config == str(given)


TRAP = "__import__('pathlib').Path({!r}).touch()"


def test_the_config_in_a_checkpoint_is_read_and_not_run(tmp_path: Path) -> None:
    trap = TRAP.format(str(tmp_path / 'sprung'))
    text = (
        f'{trap}\na = {trap}\nb = dict(c={trap}, d=-1, e=(1, [2.5, None]), f={{"x": True}}, g=-inf)\nimport os\nh = 1'
    )
    read = read_config(text)
    assert not (tmp_path / 'sprung').exists()
    assert read['b']['d'] == -1
    assert read['b']['e'] == [1, [2.5, None]]
    assert read['b']['f'] == {'x': True}
    assert read['b']['g'] == float('-inf')
    assert read['h'] == 1
    assert repr(read['a']) == repr(read['b']['c'])  # stands for what was not read


def test_a_type_that_a_checkpoint_names_is_not_imported(detector: Files, tmp_path: Path) -> None:
    (tmp_path / 'trap_of_a_type.py').write_text('raise SystemExit')
    text = configs.load_config(detector[0]).pretty_text.replace(
        "'DeltaXYWHBBoxCoder'", "'trap_of_a_type.DeltaXYWHBBoxCoder'"
    )
    trained = checkpoint(tmp_path, detector, cfg=text)
    given = changed_config(tmp_path, detector, setting(f'{CODER}.clip_border', True))  # asks for a default
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(tmp_path)
        open_model(configs.load_config(given), trained)
    assert 'trap_of_a_type' not in sys.modules


@pytest.mark.parametrize(
    'text',
    ['a = (', '[' * 100_000, '-' * 100_000 + '1', 'a = 1\0', 7, None, 'x' * 3_000_000, 'a = ' + '1' * 9999, '\ud800'],
)
def test_what_is_no_config_says_nothing(text: Any) -> None:
    assert read_config(text) == {}


def test_a_fused_model_differs_from_the_trained_one_in_its_form_alone(detector: Files, tmp_path: Path) -> None:
    source = read_checkpoint(detector[1])
    model, _ = open_model(configs.load_config(detector[0]), detector[1])
    text = configs.load_config(detector[0]).pretty_text
    save_checkpoint(tmp_path / 'f.pth', fused(model).state_dict(), {**source.meta, 'cfg': text})
    given = changed_config(tmp_path, detector, setting('model.neck.norm_cfg.eps', 1e-5))  # which is folded in
    open_model(configs.load_config(given), tmp_path / 'f.pth')

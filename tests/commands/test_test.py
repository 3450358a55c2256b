"""`mobileone test` as typed."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from mobileone_mm import cli
from mobileone_mm.commands import test as command
from mobileone_mm.commands import train

from ..conftest import forget_hosts  # noqa: TID252


def run(*words: object) -> int:
    forget_hosts()  # as in a process of its own
    return cli.run(command.main, [str(word) for word in words])


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: the config and its checkpoint, trained and fused."""
    for name in ('tiny.py', 'epoch_1.pth', 'epoch_1_fused.pth'):
        shutil.copy(trained / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_metrics_are_a_table_and_those_of_mmengine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run('tiny.py', 'epoch_1.pth') == 0
    out, err = capsys.readouterr()
    *table, following = out.splitlines()
    (file,) = Path('work_dirs/tiny').glob('*/[0-9]*.json')
    logged = json.loads(file.read_text())
    said = dict(line.split() for line in table)
    assert said.keys() == {key for key in logged if key.startswith('coco/')}
    assert said['coco/bbox_mAP_50'] == f'{logged["coco/bbox_mAP_50"]:.4f}' != '0.0000'
    assert said['coco/bbox_mAP_l'] == '-'  # no shape is so large
    assert [line.split()[0] for line in table[-3:]] == [
        f'coco/{name}_precision' for name in ('circle', 'square', 'triangle')
    ]
    assert following == 'next: ' + cli.command('export', 'tiny.py', 'epoch_1.pth')  # as typed from here
    assert re.fullmatch(
        r'config    tiny\.py\nmodel     epoch_1\.pth\nwork dir  work_dirs/tiny\nlog       \S+\.log\n'
        r'(?:checking 4 images[^\n]*\n)?data      4 test images, on CPU\n',
        err,
    )


def test_a_fused_file_scores_what_its_trained_one_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run('tiny.py', 'epoch_1.pth') == 0
    trained = capsys.readouterr().out.splitlines()[:-1]
    assert run('tiny.py', 'epoch_1_fused.pth') == 0
    assert capsys.readouterr().out.splitlines()[:-1] == trained


def test_a_checkpoint_of_another_model_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Other boxes for each place: mmengine would test with what fits, and leave the rest as it was initialised.
    other = 'model.bbox_head.anchor_generator.ratios=[[2],[2],[2],[2],[2],[2]]'
    assert run('tiny.py', 'epoch_1.pth', '--cfg-options', other) == 1
    out, err = capsys.readouterr()
    assert out == ''
    assert re.search(r'\nerror: epoch_1\.pth: does not fit the config: of another shape .*bbox_head\.', err)


def test_a_damaged_checkpoint_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path('epoch_1.pth').read_bytes()
    weight = torch.load('epoch_1.pth', weights_only=True)['state_dict']['backbone.stage0.rbr_conv.0.conv.weight']  # noqa: TID251
    damaged = whole.replace(weight.numpy().tobytes(), (weight * 2).numpy().tobytes())
    assert damaged != whole
    Path('epoch_1.pth').write_bytes(damaged)
    assert run('tiny.py', 'epoch_1.pth') == 1
    assert re.search(r'\nerror: epoch_1\.pth: this file is damaged \(its checksum says so', capsys.readouterr().err)


@pytest.mark.filterwarnings('ignore:.*sparse')
@pytest.mark.parametrize(
    ('change', 'what'),
    [(lambda bias: bias.to('meta'), 'without data'), (lambda bias: bias.to_sparse(), 'sparse')],
)
def test_a_tensor_that_mmengine_would_leave_out_is_refused(
    change: Callable[[torch.Tensor], torch.Tensor], what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = 'backbone.stage0.rbr_conv.0.bn.bias'
    content = torch.load('epoch_1.pth', weights_only=True)  # noqa: TID251 - written above
    content['state_dict'][key] = change(content['state_dict'][key])
    torch.save(content, 'odd.pth')
    message = f'error: odd.pth: 1 key ({key}) {what}; expected dense tensors of real numbers'
    assert run('tiny.py', 'odd.pth') == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)
    forget_hosts()
    assert cli.run(train.main, ['tiny.py', '--resume', 'odd.pth', '--work-dir', 'other']) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)


@pytest.mark.parametrize(
    ('words', 'error'),
    [
        (['tiny.py', 'no.pth'], 'error: no.pth: no such checkpoint'),
        (
            ['tiny.py', 'epoch_1.pth', '--cfg-options', 'test_evaluator=None'],
            'error: tiny.py: expected test_dataloader and',
        ),
    ],
)
def test_the_error_comes_last(words: list[str], error: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 1
    out, err = capsys.readouterr()
    assert out == ''
    assert err.splitlines()[-1].startswith(error)
    assert 'Traceback' not in err


@pytest.mark.parametrize(
    ('words', 'error'),
    [
        (['tiny.py', 'tiny.py'], 'tiny.py is a config, expected a checkpoint'),
        (['epoch_1.pth', 'tiny.py'], 'epoch_1.pth is a checkpoint, expected a config'),
    ],
)
def test_swapped_arguments_are_told_apart_before_anything_is_imported(
    words: list[str], error: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert err.splitlines()[-1] == f'error: {error}: {cli.command("test", "CONFIG", "CHECKPOINT")}'


def test_a_checkpoint_with_histories_is_refused_with_the_way_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load('epoch_1.pth', weights_only=True)  # noqa: TID251 - written above
    losses = HistoryBuffer()
    losses.update(1.0)
    torch.save({**content, 'message_hub': {'log_scalars': {'train/loss': losses}}}, 'epoch_1.pth')
    assert run('tiny.py', 'epoch_1.pth') == 1
    assert 'PlainCheckpointHook' in capsys.readouterr().err.splitlines()[-1]


def test_plain_is_mmengines_own_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run('tiny.py', 'epoch_1.pth', '--plain') == 0
    out = capsys.readouterr().out
    assert 'Config:' in out
    assert 'Epoch(test) [1/1]' in re.sub(r'\x1b\[\d+m', '', out)
    assert 'next:' not in out


def test_help_opens_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(['--help'])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f'example: {cli.command("test", "ssd_mobileone_s2")} ')


@pytest.mark.parametrize('name', ['ssd_mobileone_s0', 'deeplabv3_mobileone_s1_voc', 'deeplabv3_mobileone_s1_ade20k'])
@pytest.mark.filterwarnings('ignore:The draw is False')  # mmseg's, to itself
def test_a_shipped_config_without_its_data_says_where_they_go(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('any.pth').touch()  # the data come first
    assert run(name, 'any.pth') == 1
    said = capsys.readouterr().err.splitlines()[-1]
    where = rf'data/\S+: no such folder, seen from {tmp_path}; test_dataloader expects in it .*val'
    assert re.match(rf'error: {where}.* --cfg-options test_dataloader\.dataset\.data_root=DIR\b', said)


def test_a_set_without_annotations_scores_nothing(
    folder: Path, shapes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((shapes / 'annotations/val.json').read_text())
    empty = folder / 'empty.json'
    empty.write_text(json.dumps({**content, 'annotations': []}))
    options = [f'test_dataloader.dataset.ann_file={empty}', f'test_evaluator.ann_file={empty}']
    assert run('tiny.py', 'epoch_1.pth', '--cfg-options', *options) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith('coco/')]
    assert {line.split()[1] for line in table} == {'-'}
    (log,) = Path('work_dirs/tiny').glob('*/*.log')
    assert f'{empty}: 4 images, no annotations' in log.read_text()

"""`mobileone train` as typed: what is on the screen, what is in the log, and what goes wrong."""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mobileone_mm import cli
from mobileone_mm.commands import test as test_command
from mobileone_mm.commands import train
from mobileone_mm.outputs import TRAINING

from ..conftest import forget_hosts  # noqa: TID252

HEAD = ['config', 'work dir', 'log', 'page', 'data', 'training']
COUNT = 'data      13 training images, 4 validation images'
NUMBER = r'\d+\.?\d*'
TIME = r'\d+:\d\d:\d\d left'
ROOT = Path(__file__).parents[2]
MOST_LINES_TO_AN_ERROR = 10  # mim prints 651 before it, and its own traceback after it
SCRIPT = """
from mobileone_mm import cli
from mobileone_mm.commands import train
raise SystemExit(cli.run(train.main))
"""


@HOOKS.register_module()
class PressCtrlC(Hook):  # type: ignore[misc]
    """Sends this process what Ctrl-C sends, at one step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        if runner.iter + 1 == self.at:
            signal.raise_signal(signal.SIGINT)


@HOOKS.register_module()
class PressCtrlCWhileSaving(Hook):  # type: ignore[misc]
    """Sends this process what Ctrl-C sends, when one step's checkpoint is about to be written."""

    def __init__(self, at: int) -> None:
        self.at = at

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        if checkpoint['meta']['iter'] == self.at:
            signal.raise_signal(signal.SIGINT)


@HOOKS.register_module()
class KeepFirstWeights(Hook):  # type: ignore[misc]
    """Writes the weights that training starts from."""

    priority = 'LOWEST'

    def before_train(self, runner: Any) -> None:
        torch.save(runner.model.state_dict(), 'first.pth')


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: object) -> int:
    forget_hosts()  # as in a process of its own
    return cli.run(train.main, [str(word) for word in words])


def pressing(step: int) -> str:
    return f"custom_hooks = [*_base_.custom_hooks, dict(type='PressCtrlC', at={step})]"


def words_of(command: str) -> list[str]:
    """What follows `mobileone train`, however the program is called here."""
    words = shlex.split(command)
    return words[words.index('train') + 1 :]


def the_log(work_dir: str | Path) -> str:
    (file,) = Path(work_dir).glob('*/*.log')
    return file.read_text()


def test_a_line_an_epoch_and_the_best_checkpoint_at_the_end(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config) == 0
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if 'images for faults' not in line]
    reach = lines.pop(5)
    assert re.match(r'anchors reach \d+ % of the boxes at an IoU of 0\.\d \(\w+ \d+ %, \w+ \d+ %, \w+ \d+ %\)', reach)
    assert [line[:10].strip() for line in (*lines[:5], lines[6])] == HEAD
    assert lines[:2] == ['config    tiny.py', 'work dir  work_dirs/tiny']
    assert Path(lines[2].removeprefix('log').strip()).is_file()
    assert lines[3:7] == [
        'page      work_dirs/tiny/training.html',
        COUNT,
        'expanded fused weights, calibrated on 12 training images',
        'training  2 epochs of 3 steps on CPU',
    ]
    first, second = lines[7:]
    assert re.fullmatch(rf'epoch 1/2  loss {NUMBER}  bbox_mAP {NUMBER}  best {NUMBER} \(epoch 1\)  {TIME}', first)
    assert re.fullmatch(rf'epoch 2/2  loss {NUMBER}  bbox_mAP {NUMBER}  best {NUMBER} \(epoch [12]\)', second)
    best, page, following = out.splitlines()
    (file,) = (path for path in Path('work_dirs/tiny').glob('best_*.pth') if 'fused' not in path.name)
    value = second.partition('best ')[2].split()[0]
    assert best == f'best      {file}: bbox_mAP {value}'
    assert page == 'page      work_dirs/tiny/training.html'
    assert TRAINING.ours(Path('work_dirs/tiny/training.html'))
    assert following == f'next: {cli.command("export", "tiny.py", str(file))}'


def test_the_lines_say_what_mmengine_logs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, '--cfg-options', 'log_processor.window_size=3') == 0  # means of an epoch in the log too
    said = re.findall(r'loss (\S+)  bbox_mAP (\S+)', capsys.readouterr().err)
    (file,) = Path('work_dirs/tiny').glob('*/vis_data/*_*.json')
    logged = [json.loads(line) for line in file.read_text().splitlines()]
    losses = [entry['loss'] for entry in logged if 'loss' in entry]
    metrics = [entry['coco/bbox_mAP'] for entry in logged if 'coco/bbox_mAP' in entry]
    assert said == [(f'{loss:.4g}', f'{value:.4f}') for loss, value in zip(losses, metrics, strict=True)]


def test_everything_else_is_in_the_log(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config) == 0
    log, screen = the_log('work_dirs/tiny'), ''.join(capsys.readouterr())
    for part in (
        'System environment:',  # mmengine's own
        'default_scope = ',
        'Hooks will be executed in the following order',
        'Epoch(train) [2][3/3]',
        'Average Precision  (AP) @[ IoU=0.50:0.95',  # printed by pycocotools
        'will be deprecated in future',  # a warning to nobody who trains
    ):
        assert part in log
        assert part not in screen


def test_a_warning_gets_one_line(
    write_config: Callable[..., Path], shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((shapes / 'annotations/train.json').read_text())
    content['annotations'][0]['bbox'][2] = 0
    broken = tmp_path / 'broken.json'
    broken.write_text(json.dumps(content))
    config = write_config(tmp_path)
    assert (
        run(config, '--work-dir', tmp_path / 'work', '--cfg-options', f'train_dataloader.dataset.ann_file={broken}')
        == 0
    )
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith('warning')]
    assert len(warnings) == 1
    assert warnings[0].startswith(f'warning: {broken}: 16 images, ')
    assert 'dropped 1: 1 of zero size' in warnings[0]


def test_weights_that_fit_in_part_are_warned_of(
    config: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = 'model.bbox_head.anchor_generator.ratios=[[2],[2],[2],[2],[2],[2]]'
    options = [f'load_from={trained}/epoch_1.pth', fewer, 'train_cfg.max_epochs=1']
    assert run(config, '--cfg-options', *options) == 0
    (warning,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith('warning'))
    assert warning.startswith(f'warning: {trained}/epoch_1.pth: does not fit the config: of another shape ')


@pytest.mark.parametrize(
    ('option', 'error'),
    [
        ('train_dataloader.dataset.data_root=nowhere/', r'nowhere/: no such folder, seen from .*; train_dataloader .*'),
        ('val_dataloader.dataset.data_root=nowhere/', r'nowhere/: no such folder, seen from .*; val_dataloader .*'),
        (
            'train_dataloader.batch_size=14',
            r'13 training images make no batch of 14; .* lower train_dataloader\.batch_size .*',
        ),
        (
            'model.backbone.type=NoNet',
            r"tiny\.py: model\.backbone: KeyError: 'NoNet is not in the mmdet::model registry\..*; "
            r'the traceback is in work_dirs/tiny/\S+\.log',
        ),
        ('optim_wrapper.optimizer.lr=x', r'tiny\.py: optim_wrapper\.optimizer: TypeError: .*; the traceback is in .*'),
        ('default_hooks.timer=x', r'tiny\.py: default_hooks: TypeError: hook should be .*; the traceback is in .*'),
    ],
)
def test_the_error_comes_last_and_soon(
    option: str, error: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, '--cfg-options', option) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ''
    assert len(lines) <= MOST_LINES_TO_AN_ERROR
    assert re.fullmatch(f'error: {error}', lines[-1])
    assert 'Traceback' not in err
    assert 'Traceback (most recent call last)' in the_log('work_dirs/tiny')


@pytest.mark.parametrize(
    ('words', 'status', 'error'),
    [
        (['no.py'], 1, 'no.py: no such config file'),
        (['tiny.py', '--resume', 'no.pth'], 1, 'no.pth: no such checkpoint'),
        (['tiny.py', '--weights', 'no.pth'], 1, 'no.pth: no such weight file'),
        (['tiny.py', '--cfg-options', 'abc'], 2, "'abc' given, expected KEY=VALUE"),
        (['tiny.py', '--cfg-options', 'a=[1,2'], 2, 'Imbalanced brackets'),
        (['tiny.py', '--cfg-options', 'train_cfg.max_epochs=-1'], 1, 'train_cfg.max_epochs is -1; expected a whole'),
    ],
)
def test_nothing_is_written_for_a_command_that_cannot_be_meant(
    words: list[str], status: int, error: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == status
    assert error in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in Path().iterdir()] == [config.name]


def test_after_ctrl_c_the_printed_command_goes_on(
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, pressing(5))
    weights = Config.fromfile('tiny.py').model.backbone.init_cfg.checkpoint
    options = ['--weights', weights, '--cfg-options', 'train_cfg.max_epochs=3']
    assert run('tiny.py', '--work-dir', 'my work', *options) == 130
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == 'stopped in epoch 2/3; my work/epoch_1.pth is saved'
    (following,) = out.splitlines()
    assert words_of(following) == ['tiny.py', '--work-dir', 'my work', *options, '--resume']
    write_config(tmp_path)  # nobody presses again
    assert run(*words_of(following)) == 0
    out, err = capsys.readouterr()
    assert 'training  3 epochs of 3 steps on CPU, goes on after epoch 1' in err.splitlines()
    assert [line[:9] for line in err.splitlines() if line.startswith('epoch ')] == ['epoch 2/3', 'epoch 3/3']
    assert out.splitlines()[-1].split()[-4] == "'my"  # the config with the options, from the work dir
    assert torch.load('my work/epoch_3.pth', weights_only=True)['meta']['epoch'] == 3  # noqa: TID251 - written above


def test_ctrl_c_before_the_first_checkpoint_does_not_go_on_from_an_older_run(
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, pressing(2))
    Path('work_dirs/tiny').mkdir(parents=True)
    Path('work_dirs/tiny/last_checkpoint').write_text('of another run')
    assert run('tiny.py', '--auto-scale-lr') == 130
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == 'stopped in epoch 1/2; no checkpoint was saved yet'
    assert words_of(out) == ['tiny.py', '--auto-scale-lr']


@pytest.mark.parametrize(
    ('step', 'saved', 'resume'),
    [(3, 'no checkpoint was saved yet', []), (6, 'work_dirs/tiny/epoch_1.pth is saved', ['--resume'])],
)
def test_ctrl_c_while_a_checkpoint_is_saved_names_none_that_is_not_there(
    step: int,
    saved: str,
    resume: list[str],
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, pressing(step).replace('PressCtrlC', 'PressCtrlCWhileSaving'))
    assert run('tiny.py') == 130
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == f'stopped in epoch {step // 3}/2; {saved}'
    assert words_of(out) == ['tiny.py', *resume]


def test_resume_without_a_checkpoint_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, '--resume', '--cfg-options', 'train_cfg.max_epochs=1') == 0
    err = capsys.readouterr().err
    assert 'from the beginning: no checkpoint in the work dir' in err
    assert 'expanded fused weights, calibrated on 12 training images' in err


@pytest.mark.parametrize('plain', [[], ['--plain']])
def test_weights_are_those_that_the_backbone_starts_from(
    plain: list[str], write_config: Callable[..., Path], shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    shutil.copy(shapes / 'fused.pth', 'my, [own]=weights.pth')
    Path('tiny.py').write_text(Path('tiny.py').read_text().replace(str(shapes / 'fused.pth'), 'gone.pth'))
    assert run('tiny.py', '--work-dir', 'without', *plain) == 1
    assert run('tiny.py', '--weights', 'my, [own]=weights.pth', '--cfg-options', 'train_cfg.max_epochs=1', *plain) == 0
    kept = Config.fromfile(next(Path('work_dirs/tiny').glob('**/tiny.py')))
    assert kept.model.backbone.init_cfg == {'type': 'Pretrained', 'checkpoint': 'my, [own]=weights.pth'}


@pytest.mark.parametrize('plain', [[], ['--plain']])
def test_resume_does_not_read_the_weights_that_the_checkpoint_replaces(
    plain: list[str],
    write_config: Callable[..., Path],
    shapes: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, "custom_hooks = [*_base_.custom_hooks, dict(type='KeepFirstWeights')]")
    Path('tiny.py').write_text(Path('tiny.py').read_text().replace(str(shapes / 'fused.pth'), 'gone.pth'))
    shutil.copy(trained / 'epoch_1.pth', 'other.pth')
    assert run('tiny.py', '--resume', 'other.pth', *plain) == 0
    state = torch.load('other.pth', weights_only=True)['state_dict']  # noqa: TID251 - of this suite
    torch.testing.assert_close(torch.load('first.pth', weights_only=True), state, rtol=0, atol=0)  # noqa: TID251
    kept = Config.fromfile(next(Path('work_dirs/tiny').glob('**/tiny.py')))
    assert kept.model.backbone.init_cfg.checkpoint == 'gone.pth'  # for who trains with it anew
    Path('first.pth').unlink()
    Path('work_dirs/tiny/last_checkpoint').write_text('work_dirs/tiny/epoch_2.pth')
    assert run('tiny.py', '--resume', '--cfg-options', 'train_cfg.max_epochs=3', *plain) == 0
    state = torch.load('work_dirs/tiny/epoch_2.pth', weights_only=True)['state_dict']  # noqa: TID251
    torch.testing.assert_close(torch.load('first.pth', weights_only=True), state, rtol=0, atol=0)  # noqa: TID251


@pytest.mark.parametrize('plain', [[], ['--plain']])
def test_a_config_in_its_own_work_dir_stays_as_it_is(plain: list[str], config: Path) -> None:
    config.write_text(f'# mine\n{config.read_text()}')
    text = config.read_text()
    assert run(config, '--work-dir', config.parent, *plain) == 0
    assert config.read_text() == text


def test_plain_is_mmengines_own_output(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, '--plain') == 0
    out, err = capsys.readouterr()
    assert 'mmengine - INFO - Config:' in out
    assert 'mmengine - INFO - Epoch(train) [1][3/3]' in re.sub(r'\x1b\[\d+m', '', out)
    assert 'Average Precision  (AP)' in out
    assert len(out.splitlines()) > 100
    assert 'config    ' not in err
    assert 'next:' not in out


def test_steps_instead_of_epochs(
    write_config: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(
        tmp_path,
        "train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=5, val_interval=2)",
        'param_scheduler = []',
        'default_hooks = dict(checkpoint=dict(by_epoch=False, interval=2))',
        'log_processor = dict(by_epoch=False)',
        "train_dataloader['sampler'] = dict(type='InfiniteSampler')",
    )
    work_dir = ('--work-dir', tmp_path / 'work')
    no_validation = [f'val_{name}=None' for name in ('cfg', 'dataloader', 'evaluator')]
    assert run(config, *work_dir) == 0
    lines = capsys.readouterr().err.splitlines()
    assert 'training  5 steps on CPU' in lines
    assert [re.match(r'step \d/5  loss \S+  bbox_mAP \S+  best ', line) is not None for line in lines[-3:]] == [
        True
    ] * 3
    assert [line[:8] for line in lines[-3:]] == ['step 2/5', 'step 4/5', 'step 5/5']
    assert run(config, '--work-dir', tmp_path / 'other', '--cfg-options', *no_validation) == 0
    out, err = capsys.readouterr()
    assert [line[:8] for line in err.splitlines()[-3:]] == ['step 2/5', 'step 4/5', 'step 5/5']
    assert 'mAP' not in err
    assert out.startswith('last ')
    assert out.splitlines()[0].endswith('(no best checkpoint: that takes validation and save_best)')


def test_a_config_in_the_work_dir_is_not_written_over(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = config.read_text()
    assert run(config, '--work-dir', '.', '--cfg-options', 'train_cfg.max_epochs=1') == 0
    assert config.read_text() == text
    exported = Path(shlex.split(capsys.readouterr().out.splitlines()[-1])[-2])
    assert 'max_epochs=1' in exported.read_text()


def test_a_config_that_was_edited_in_the_work_dir_is_not_written_over(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def test(*words: str) -> int:
        forget_hosts()
        return cli.run(test_command.main, ['tiny.py', 'wE/epoch_1.pth', '--work-dir', 'wE', *words])

    assert run(config, '--work-dir', 'wE', '--cfg-options', 'train_cfg.max_epochs=1') == 0
    assert test('--cfg-options', 'test_dataloader.batch_size=2') == 0
    assert run(config, '--work-dir', 'wE', '--resume', '--plain') == 0
    fused = next(Path('wE').glob('epoch_2_fused.py'))
    forget_hosts()
    assert cli.run(test_command.main, [str(fused), str(fused.with_suffix('.pth')), '--work-dir', 'wE']) == 0
    assert test() == 0
    kept = Path('wE/tiny.py')
    edited = kept.read_text() + '# of mine\n'
    kept.write_text(edited)
    for refused in (test, lambda: run(config, '--work-dir', 'wE', '--resume')):
        capsys.readouterr()
        assert refused() == 2
        last_line = capsys.readouterr().err.splitlines()[-1]
        assert last_line.startswith('error: wE/tiny.py: would be written over, and no earlier run left it as it is')
        assert kept.read_text() == edited


def test_a_terminal_shows_how_far_the_epoch_is(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, 'BAR_INTERVAL', 0)
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    assert run(config, '--cfg-options', 'train_cfg.max_epochs=1') == 0
    shown = capsys.readouterr().err.replace('\033[K', '')
    bars = [line for line in re.split('[\r\n]', shown) if line.startswith('#')]
    assert [bar.split()[0].count('#') for bar in bars] == [10, 20, 30, 30]
    assert [re.sub(r'loss \S+|\d:\d\d:\d\d', '*', bar.partition(' ')[2]) for bar in bars[:2]] == [
        f'epoch 1/1  step {step}/3  *  * left' for step in (1, 2)
    ]
    assert bars[3].partition(' ')[2].startswith('epoch 1/1  validating, 0:00:00 left')


@pytest.mark.parametrize(
    ('local', 'output'),
    [
        ('2', ('next: torchrun --nproc-per-node 2 -m mobileone_mm train stopped.py --amp\n', '')),
        ('1', ('', 'to go on, start it on every machine as before, with: -m mobileone_mm train stopped.py --amp\n')),
    ],
)
def test_what_torchrun_started_goes_on_with_torchrun(
    local: str,
    output: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('stopped.py').write_text('raise KeyboardInterrupt')
    for name, value in {'RANK': '0', 'WORLD_SIZE': '2', 'LOCAL_RANK': '0', 'LOCAL_WORLD_SIZE': local}.items():
        monkeypatch.setenv(name, value)
    assert run('stopped.py', '--amp') == 130
    out, err = capsys.readouterr()
    assert (out, err.partition('no checkpoint was saved yet\n')[2]) == output


def in_two_processes(folder: Path, *words: object) -> list[tuple[int, str, str]]:
    """What torchrun does on one machine; status, stdout and stderr of each process."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    common = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port, 'OMP_NUM_THREADS': '1'}
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', SCRIPT, *map(str, words)],
            env={**os.environ, **common, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


def test_of_two_processes_the_first_speaks(config: Path, tmp_path: Path) -> None:
    first, second = in_two_processes(tmp_path, config, '--work-dir', 'work')
    assert (first[0], *second) == (0, 0, '', '')
    assert 'training  2 epochs of 1 step on 2 x CPU' in first[2].splitlines()
    assert first[1].startswith('best      work/best_coco_bbox_mAP_epoch_')


@pytest.mark.parametrize(
    ('name', 'root', 'files', 'options'),
    [
        (
            'ssd_mobileone_s0',
            'data/coco/',
            'annotations/instances_train2017.json train2017/',
            'train_dataloader.dataset.data_root=DIR val_dataloader.dataset.data_root=DIR '
            'val_evaluator.ann_file=DIR/annotations/instances_val2017.json',
        ),
        (
            'deeplabv3_mobileone_s1_voc',
            'data/VOCdevkit/VOC2012',
            'ImageSets/Segmentation/train.txt JPEGImages SegmentationClass ImageSets/Segmentation/aug.txt '
            'SegmentationClassAug',
            'train_dataloader.dataset.datasets.0.data_root=DIR train_dataloader.dataset.datasets.1.data_root=DIR '
            'val_dataloader.dataset.data_root=DIR',
        ),
        (
            'deeplabv3_mobileone_s1_ade20k',
            'data/ade/ADEChallengeData2016',
            'images/training annotations/training',
            'train_dataloader.dataset.data_root=DIR val_dataloader.dataset.data_root=DIR',
        ),
        (
            'mobileone_s0_in1k',
            'data/imagenet',
            'train',
            'train_dataloader.dataset.data_root=DIR val_dataloader.dataset.data_root=DIR',
        ),
    ],
)
@pytest.mark.filterwarnings('ignore:The draw is False')  # mmseg's, to itself
def test_a_shipped_config_without_its_data_says_where_they_go(
    name: str, root: str, files: str, options: str, empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name) == 1
    out, err = capsys.readouterr()
    *head, said = err.splitlines()
    assert (out, [line[:10].strip() for line in head]) == ('', HEAD[:3])
    parts = ', '.join(files.split())
    assert said.startswith(
        f'error: {root}: no such folder, seen from {empty}; train_dataloader expects in it {parts}; '
    )
    assert said.endswith(f'--cfg-options {options}')
    assert os.listdir() == ['work_dirs']
    assert not list(Path('work_dirs').rglob('*.pth'))

    (section,) = re.findall(r'docs/train\.md, "(.*)"', said)
    docs = (ROOT / 'docs/train.md').read_text()
    assert {root, f'## {section}', *files.split()} <= {*re.findall(r'`(.*?)`', docs), *docs.splitlines()}

    assert run(name, '--cfg-options', *options.replace('DIR', 'elsewhere').split()) == 1
    assert 'error: elsewhere: no such folder, ' in capsys.readouterr().err
    Path(root).mkdir(parents=True)
    assert run(name) == 1
    first = ', '.join(str(Path(root, file)) for file in files.split()[:2])
    assert f'error: {first}' in capsys.readouterr().err


def test_help_is_quick_and_opens_with_an_example() -> None:
    loaded = 'print(sorted({"torch", "mmengine", "mmdet"} & set(sys.modules)))'
    code = f'import sys, atexit\natexit.register(lambda: {loaded})\n{SCRIPT}'
    done = subprocess.run([sys.executable, '-c', code, '--help'], capture_output=True, text=True, check=True)
    assert ' train ssd_mobileone_s2\n' in done.stdout
    assert done.stdout.splitlines()[-1] == '[]'


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may become larger than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line_that_names_the_work_dir(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_up_to(100_000):  # less than a checkpoint takes
        status = run(config)
    lines = capsys.readouterr().err.splitlines()
    assert status == 1
    assert re.fullmatch(
        r'error: \S*work_dirs/tiny/\S+\.pth: cannot be written: File too large; make room there, or .*', lines[-1]
    )
    assert [line for line in lines if re.match('error|warning|Trace|---', line)] == lines[-1:]
    assert not list(Path('work_dirs/tiny').glob('*.pth'))


def test_a_log_that_cannot_be_written_is_said_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_up_to(8192):  # less than the log takes
        status = run(config)
    lines = capsys.readouterr().err.splitlines()
    warning, error = (line for line in lines if re.match('error|warning|Trace|---', line))
    assert status == 1
    assert re.fullmatch(r'warning: \S*work_dirs/tiny/\S+\.log: cannot be written: \[Errno 27\] File too large', warning)
    assert error.startswith('error: work_dirs/tiny: cannot be written: File too large; make room there')

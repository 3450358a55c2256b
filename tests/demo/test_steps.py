"""The demo: its own machinery on commands of an instant, then all its steps at tiny size."""

import json
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mobileone_mm.datasets import toy
from mobileone_mm.demo import story
from mobileone_mm.pictures.drawing import write_sheet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'demo' / 'logs').mkdir(parents=True)
    return tmp_path


def python(code: str) -> str:
    return f'python -c {shlex.quote(code)}'


def test_steps_run_in_order_in_the_root_and_leave_logs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        story.Step('one', 'write', python('open("here", "w").write("1"); print("out"); print(1 / 1)')),
        story.Step('two', 'read', python('import sys; print(open("here").read(), file=sys.stderr)')),
    ]
    done = list(story.run_steps(root, steps))
    assert [(step.name, step.command) for step in done] == [(step.name, step.command) for step in steps]
    assert all(step.seconds > 0 for step in done)
    assert (root / 'demo/logs/one.log').read_text() == 'out\n1.0\n'
    assert (root / 'demo/logs/two.log').read_text() == '1\n'
    said = capsys.readouterr().err
    assert '[1/2] one: write' in said
    assert f'  $ {steps[1].command}' in said


def test_the_environment_of_this_interpreter_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', '/nowhere')
    list(story.run_steps(root, [story.Step('who', '', python('import sys; print(sys.executable)'))]))
    assert (root / 'demo/logs/who.log').read_text().strip() == sys.executable


def test_a_failing_step_names_itself_its_reason_and_its_log(root: Path) -> None:
    fails = story.Step('boom', '', python('print("first"); import sys; print("why", file=sys.stderr); sys.exit(3)'))
    never = story.Step('never', '', python('open("never", "w")'))
    with pytest.raises(story.StepError, match=r'\[1/2\] boom failed with status 3: why\n.*demo/logs/boom\.log'):
        list(story.run_steps(root, [fails, never]))
    assert not (root / 'never').exists()


def test_the_reason_is_not_the_traceback_that_mim_adds(root: Path) -> None:
    inner = 'import subprocess, sys; subprocess.check_call([sys.executable, "-c", "raise ValueError(\'no data\')"])'
    with pytest.raises(story.StepError, match=r'failed with status 1: ValueError: no data\n'):
        list(story.run_steps(root, [story.Step('mim', '', python(inner))]))


def test_a_missing_program_names_the_cure(root: Path) -> None:
    with pytest.raises(story.StepError, match=r'no_such_program is missing; run: make setup'):
        list(story.run_steps(root, [story.Step('gone', '', 'no_such_program --help')]))


def test_the_best_checkpoint_is_put_into_later_commands(root: Path) -> None:
    (root / 'demo' / 'training').mkdir()
    steps = [
        story.Step(
            'train', '', python('open("demo/training/best_x.pth", "w"); open("demo/training/best_x_fused.pth", "w")')
        ),
        story.Step('test', '', f'python -c "import sys; print(sys.argv[1])" {story.BEST}'),
    ]
    assert list(story.run_steps(root, steps))[1].command.endswith(' demo/training/best_x.pth')
    assert (root / 'demo/logs/test.log').read_text() == 'demo/training/best_x.pth\n'


@pytest.mark.parametrize('names', [[], ['best_a.pth', 'best_b.pth']])
def test_none_or_two_best_checkpoints_are_an_error(root: Path, names: list[str]) -> None:
    (root / 'demo' / 'training').mkdir()
    for name in names:
        (root / 'demo' / 'training' / name).touch()
    with pytest.raises(story.StepError, match=f'{len(names)} best checkpoints, expected 1; see demo/logs/train.log'):
        story.best_checkpoint(root)


def test_clear_takes_old_results_and_nothing_else(tmp_path: Path) -> None:
    story.clear(tmp_path)  # nothing there yet
    for name in story.RESULTS:
        path = tmp_path / 'demo' / name
        if path.suffix:
            path.write_text('old')
        else:
            path.mkdir(exist_ok=True)
            (path / 'old').touch()
    (tmp_path / 'demo' / 'mine.txt').touch()
    story.clear(tmp_path)
    assert sorted(path.name for path in (tmp_path / 'demo').rglob('*')) == ['.mobileone_mm', 'logs', 'mine.txt']


LOGGED = '11/20 17:03:13 - mmengine - INFO - '


@pytest.mark.parametrize(
    ('line', 'text'),
    [
        (
            LOGGED + 'Epoch(train) [15][10/23]  lr: 4.9e-05  eta: 0:00:14  time: 0.4  data_time: 0.01  loss: 1.4173'
            '  loss_cls: 1.0565  loss_bbox: 0.3608\n',
            'epoch 15: loss 1.42, 0:00:14 to go',
        ),
        (
            LOGGED + 'Epoch(train)  [1][ 5/23]  lr: 2.9e-04  eta: 0:25:41  time: 4.2  loss: 8.2751  loss_cls: 5.5\n',
            'epoch 1: loss 8.28, 0:25:41 to go',
        ),
        (
            LOGGED + 'Epoch(val) [4][4/4]    coco/bbox_mAP: 0.4230  coco/bbox_mAP_50: 0.9030  coco/bbox_mAP_75: 0.3\n',
            'mAP50 0.903 on the validation pictures',
        ),
        ('convert ...\n', 'convert ...'),
        *(
            (f'{line}\n', line)
            for line in (
                'demo/data: train 400 images, 946 boxes; val 60, 121',
                'demo/detector.mlpackage: sound; detection, 3 classes, 160x160 px',
                'all 136 boxes agree; largest difference 0.0015 in score, 4.4 px',
                'the one box agrees; largest difference 0.0015 in score, 4.4 px',
                'boxes: left 136, right 137, in agreement 130; largest difference 0.06 in score, 4.4 px',
            )
        ),
        ('pictures: 60, boxes: 136 (triangle 51, circle 44, square 41)\n', None),
        (LOGGED + 'bbox_mAP_copypaste: 0.583 0.943 0.667\n', None),
        ('/x/y.py:12: UserWarning: something ...\n', None),
        ('\n', None),
    ],
)
def test_what_the_terminal_gets(line: str, text: str | None) -> None:
    assert story.shown(line) == text


# Everything the demo does, on a handful of pictures and for one epoch: not what it scores, but that it all fits.
TINY = {
    'data': lambda command: command.replace('--images 400 --val 60', '--images 16 --val 4'),
    'train': lambda command: (
        f'{command} --cfg-options train_cfg.max_epochs=1 train_cfg.val_interval=1 train_dataloader.batch_size=4'
    ),
}


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[story.Done]]:
    root = tmp_path_factory.mktemp('repository')
    for name in ('configs', 'tools'):
        (root / name).symlink_to(ROOT / name)
    story.clear(root)
    steps = [replace(step, command=TINY.get(step.name, str)(step.command)) for step in story.STEPS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        return root, list(story.run_steps(root, steps))


def test_all_steps_fit_together(finished: tuple[Path, list[story.Done]]) -> None:
    root, done = finished
    assert [step.name for step in done] == ['data', 'train', 'test', 'fuse', 'export', 'check', 'look']
    assert (root / 'demo/fused.pth').is_file()
    assert (root / 'demo/detector.mlpackage/Manifest.json').is_file()
    assert '<h2>Scores</h2>' in (root / 'demo/report.html').read_text()
    assert len(list((root / 'demo/predictions').glob('*.jpg'))) == 4
    left = {path.name for path in (root / 'demo').iterdir()}
    assert left <= {*story.RESULTS, 'data', '.mobileone_mm'}, 'what the next demo has to clear away'


def test_the_page_holds_what_was_measured(finished: tuple[Path, list[story.Done]]) -> None:
    root, done = finished
    page, facts = story.summary(root, done), story.facts(root, done)
    export = json.loads((root / 'demo/export.json').read_text())
    assert facts['package'] == (
        f'demo/detector.mlpackage, {export["bytes"] / 1e6:.1f} MB, finds circle, square, triangle'
    )
    assert facts['scored on'].startswith('4 validation pictures, ')
    assert all(f'| {name} | {text} |' in page for name, text in facts.items())
    assert page.count('| trained -> ') == 3
    assert all(f'`{step.command}`' in page for step in done)
    for target in re.findall(r'\]\((.*?)\)', page):
        # The tool that runs the steps draws the sheet.
        assert target == 'pictures.png' or (root / 'demo' / target).exists(), target


def test_the_page_puts_the_package_s_score_beside_the_model_s(
    finished: tuple[Path, list[story.Done]], tmp_path: Path
) -> None:
    root, done = finished
    copy = tmp_path / 'copy'
    shutil.copytree(root / 'demo', copy / 'demo', ignore=shutil.ignore_patterns('*.pth', '*.mlpackage', 'training'))
    export = json.loads((copy / 'demo/export.json').read_text())
    for row, score in zip(export['scores']['rows'], (0.5, 0.4, 0.3), strict=True):
        row['metrics'] = {'coco/bbox_mAP': score, 'coco/bbox_mAP_50': score + 0.4, 'coco/bbox_mAP_75': 0.0}
    (copy / 'demo/export.json').write_text(json.dumps(export))
    assert story.facts(copy, done)['score'] == 'mAP50 0.700, mAP 0.300; the trained model mAP50 0.900, mAP 0.500'
    page = story.summary(copy, done)
    assert '| one label a box (Core ML) | 0.800 | 0.400 |' in page
    assert '| detector.mlpackage | one label a box (Core ML) | 0.700 | 0.300 |' in page
    export['scores']['rows'][-1]['metrics'] = {}  # as of a detector that finds nothing
    (copy / 'demo/export.json').write_text(json.dumps(export))
    assert story.facts(copy, done)['score'].startswith('mAP50 -, mAP -; ')


def test_the_first_score_is_what_mim_test_says(finished: tuple[Path, list[story.Done]]) -> None:
    root, _ = finished
    (tested,) = (root / 'demo/test').glob('*/2*.json')  # mmengine names both after the time of the run
    row = json.loads((root / 'demo/export.json').read_text())['scores']['rows'][0]
    assert row['metrics']
    known = json.loads(tested.read_text())
    assert row['metrics'] == {key: known[key] for key in row['metrics']}


def test_pictures_come_from_the_test_s_predictions(finished: tuple[Path, list[story.Done]]) -> None:
    root, _ = finished
    write_sheet(
        root / 'sheet.png',
        annotations=root / 'demo/data/annotations/val.json',
        predictions=root / 'demo/test/predictions.bbox.json',
        images=root / 'demo/data/images/val',
    )
    assert (root / 'sheet.png').stat().st_size > 10_000


def test_config_and_drawn_classes_agree() -> None:
    from mobileone_mm.openmmlab.configs import class_names, load_config

    config = load_config(ROOT / story.CONFIG)
    assert class_names(config) == toy.CLASSES
    assert config.model.bbox_head.num_classes == len(toy.CLASSES)
    assert config.data_root == f'{story.FOLDER}/data/'

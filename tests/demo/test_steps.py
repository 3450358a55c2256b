"""The demo: its machinery on commands of an instant, then all its steps at tiny size."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mobileone_mm.artifact import ladder
from mobileone_mm.datasets import toy
from mobileone_mm.demo import steps, summary
from mobileone_mm.demo.sheet import write_sheet
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.openmmlab.test_data import class_names
from mobileone_mm.pictures.reading import read_picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'demo' / 'logs').mkdir(parents=True)
    return tmp_path


def run(root: Path, *todo: steps.Step) -> tuple[list[steps.Done], list[str]]:
    said: list[str] = []
    return list(steps.run_steps(root, todo, said.append)), said


def test_steps_run_in_order_and_leave_logs(root: Path) -> None:
    done, said = run(
        root,
        steps.Step('one', 'draw', 'toy-data one --images 1 --val 1 --size 32'),
        steps.Step('two', 'say the version', '--version'),
    )
    assert [(step.name, step.command) for step in done] == [
        ('one', 'mobileone toy-data one --images 1 --val 1 --size 32'),
        ('two', 'mobileone --version'),
    ]
    assert all(step.seconds > 0 for step in done)
    assert (root / 'one/annotations/val.json').is_file()
    assert (root / 'demo/logs/one.log').read_text().startswith('one: train 1 images')
    assert any('[1/2] one: draw' in line and '$ mobileone toy-data one' in line for line in said)


def test_the_environment_of_this_interpreter_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', '/nowhere')
    done, _ = run(root, steps.Step('who', '', '--version'))
    assert [step.name for step in done] == ['who']


def test_a_failing_step_names_itself_its_reason_and_its_log(root: Path) -> None:
    fails, never = steps.Step('boom', '', 'verify none.mlpackage'), steps.Step('never', '', 'toy-data never')
    with pytest.raises(
        steps.StepError, match=r'\[1/2\] boom failed with status 1: error: none.*\n.*demo/logs/boom\.log'
    ):
        run(root, fails, never)
    assert not (root / 'never').exists()


def test_what_a_step_says_is_said_and_logged(root: Path) -> None:
    said: list[str] = []
    with pytest.raises(steps.StepError):
        list(steps.run_steps(root, [steps.Step('wrong', '', 'no-such-verb')], said.append))
    assert said[-1].startswith('  error: no-such-verb')
    assert said[-1].strip() in (root / 'demo/logs/wrong.log').read_text()


def test_the_best_checkpoint_is_put_into_later_commands(root: Path) -> None:
    (root / 'demo/training').mkdir()
    for name in ('best_x.pth', 'best_x_fused.pth'):
        (root / 'demo/training' / name).touch()
    with pytest.raises(steps.StepError, match='best_x'):
        run(root, steps.Step('test', '', f'fuse demo_ssd {steps.BEST}'))


@pytest.mark.parametrize('names', [[], ['best_a.pth', 'best_b.pth']])
def test_none_or_two_best_checkpoints_are_an_error(root: Path, names: list[str]) -> None:
    (root / 'demo/training').mkdir()
    for name in names:
        (root / 'demo/training' / name).touch()
    with pytest.raises(steps.StepError, match=f'{len(names)} best checkpoints, expected 1; see demo/logs/train.log'):
        steps.best_checkpoint(root)


def test_an_earlier_demo_is_put_aside_whole(tmp_path: Path) -> None:
    assert steps.make_room(tmp_path) is None  # nothing there yet
    for number in (1, 2):
        (tmp_path / 'demo/training').mkdir()
        (tmp_path / 'demo/training/mine.pth').write_text(f'precious {number}')
        assert steps.make_room(tmp_path) == tmp_path / f'demo_{number}'
        assert (tmp_path / f'demo_{number}/training/mine.pth').read_text() == f'precious {number}'
        assert sorted(path.name for path in (tmp_path / 'demo').rglob('*')) == ['.mobileone_mm', 'logs']


def test_a_folder_that_no_demo_made_stays(tmp_path: Path) -> None:
    (tmp_path / 'demo').mkdir()
    (tmp_path / 'demo/mine.txt').touch()
    with pytest.raises(UsageError, match='demo'):
        steps.make_room(tmp_path)
    assert [path.name for path in tmp_path.rglob('*')] == ['demo', 'mine.txt']


# Everything the demo does, on a handful of pictures and for one epoch: not what it scores, but that it all fits.
TINY = {
    'data': lambda words: words.replace('--images 400 --val 60', '--images 16 --val 4'),
    'train': lambda words: (
        f'{words} --cfg-options train_cfg.max_epochs=1 train_cfg.val_interval=1 train_dataloader.batch_size=4'
    ),
    # A detector of one epoch is no model to judge float16 by.
    'export': lambda words: f'{words} --precision fp32',
}


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[steps.Done]]:
    root = tmp_path_factory.mktemp('empty')
    steps.make_room(root)
    todo = [replace(step, words=TINY.get(step.name, str)(step.words)) for step in steps.STEPS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        return root, list(steps.run_steps(root, todo, lambda _: None))


def test_all_steps_fit_together_in_an_empty_folder(finished: tuple[Path, list[steps.Done]]) -> None:
    root, done = finished
    assert [step.name for step in done] == ['data', 'train', 'test', 'fuse', 'export', 'check', 'look']
    assert (root / 'demo/fused.pth').is_file()
    assert (root / 'demo/detector.mlpackage/Manifest.json').is_file()
    assert '</html>' in (root / 'demo' / summary.REPORT).read_text()
    assert len(list((root / 'demo/predictions').glob('*.jpg'))) == 4


def test_the_page_holds_what_was_measured(finished: tuple[Path, list[steps.Done]]) -> None:
    root, done = finished
    page, facts = summary.summary(root, done), summary.facts(root, done)
    export = json.loads((root / 'demo/export.json').read_text())
    assert facts['package'] == (
        f'demo/detector.mlpackage, {export["bytes"] / 1e6:.1f} MB, finds circle, square, triangle'
    )
    assert facts['scored on'].startswith('4 validation pictures, ')
    assert all(f'| {name} | {text} |' in page for name, text in facts.items())
    assert all(f'`{step.command}`' in page for step in done)
    assert all(f'| {ladder.plain_name(check["name"])} | ' in page for check in export['ladder'])
    assert '->' not in page
    for target in re.findall(r'\]\((.*?)\)', page):
        # The command that runs the steps draws the sheet.
        assert target == 'pictures.png' or (root / 'demo' / target).exists(), target


def test_the_page_puts_the_package_s_score_beside_the_model_s(
    finished: tuple[Path, list[steps.Done]], tmp_path: Path
) -> None:
    root, done = finished
    copy = tmp_path / 'copy'
    shutil.copytree(root / 'demo', copy / 'demo', ignore=shutil.ignore_patterns('*.pth', '*.mlpackage', 'training'))
    export = json.loads((copy / 'demo/export.json').read_text())
    for row, score in zip(export['scores']['rows'], (0.5, 0.4, 0.3), strict=True):
        row['metrics'] = {'coco/bbox_mAP': score, 'coco/bbox_mAP_50': score + 0.4, 'coco/bbox_mAP_75': 0.0}
    (copy / 'demo/export.json').write_text(json.dumps(export))
    assert summary.facts(copy, done)['score'] == 'mAP50 0.700, mAP 0.300; the trained model mAP50 0.900, mAP 0.500'
    page = summary.summary(copy, done)
    assert "| Core ML's suppression | 0.800 | 0.400 |" in page
    assert "| detector.mlpackage | Core ML's suppression | 0.700 | 0.300 |" in page
    export['scores']['rows'][-1]['metrics'] = {}  # as of a detector that finds nothing
    (copy / 'demo/export.json').write_text(json.dumps(export))
    assert summary.facts(copy, done)['score'].startswith('mAP50 -, mAP -; ')


def test_the_first_score_is_what_the_test_says(finished: tuple[Path, list[steps.Done]]) -> None:
    root, _ = finished
    (tested,) = (root / 'demo/test').glob('*/2*.json')  # mmengine names both after the time of the run
    row = json.loads((root / 'demo/export.json').read_text())['scores']['rows'][0]
    assert row['metrics']
    known = json.loads(tested.read_text())
    assert row['metrics'] == {key: known[key] for key in row['metrics']}


def test_pictures_come_from_the_test_s_predictions(finished: tuple[Path, list[steps.Done]]) -> None:
    root, _ = finished
    write_sheet(
        root / 'sheet.png',
        annotations=root / 'demo/data/annotations/val.json',
        predictions=root / 'demo/test/predictions.bbox.json',
        images=root / 'demo/data/images/val',
    )
    sheet = read_picture(root / 'sheet.png')
    assert min(sheet.shape[:2]) > 300
    assert sheet.std() > 10


def test_config_and_drawn_classes_agree() -> None:
    config = load_config(find_config(steps.CONFIG))
    assert class_names(config) == toy.CLASSES
    assert config.model.bbox_head.num_classes == len(toy.CLASSES)
    assert config.data_root == f'{steps.FOLDER}/data/'

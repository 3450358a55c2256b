"""All steps of each demo at tiny size: not what it scores, but that it all fits, and what the page says of it."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.artifact import ladder
from mobileone_mm.commands import init
from mobileone_mm.datasets import toy_shapes
from mobileone_mm.demo import steps
from mobileone_mm.demo.by_task import DEMOS
from mobileone_mm.demo.demo import Demo
from mobileone_mm.demo.summary import facts, summary
from mobileone_mm.openmmlab.classes import class_names
from mobileone_mm.openmmlab.configs import build_model, load_config
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.pictures.reading import read_picture
from mobileone_mm.tasks.by_name import task_for

DRAWN = {
    'detection': toy_shapes.CLASSES,
    'segmentation': toy_shapes.MASK_CLASSES,
    'classification': toy_shapes.CLASSES,
}
# Everything a demo does, on a handful of pictures and for one epoch.
TINY: dict[str, Callable[[str], str]] = {
    'data': lambda words: re.sub(r'--images \d+ --val \d+', '--images 16 --val 4', words),
    'train': lambda words: (
        f'{words} --cfg-options train_cfg.max_epochs=1 train_cfg.val_interval=1 train_dataloader.batch_size=4'
    ),
    # A model of one epoch is none to judge float16 by.
    'export': lambda words: f'{words} --precision fp32',
}
# Scores as a report might have them, a row each: the keys that are shown.
SCORES = {
    'detection': [{'coco/bbox_mAP': score, 'coco/bbox_mAP_50': score + 0.4} for score in (0.5, 0.4, 0.3)],
    'segmentation': [{'mIoU': score, 'aAcc': score + 4} for score in (90, 85, 80)],
    'classification': [{'accuracy/top1': score} for score in (90, 80)],
}
SAID = {
    'detection': 'mAP50 0.700, mAP 0.300; the trained model mAP50 0.900, mAP 0.500',
    'segmentation': 'mIoU 80.00, pixel accuracy 84.00; the trained model mIoU 90.00, pixel accuracy 94.00',
    'classification': 'top-1 80.00; the trained model top-1 90.00',
}

BESIDE = {
    'detection': "| detector.mlpackage | Core ML's suppression | 0.700 | 0.300 |",
    'segmentation': '| segmenter.mlpackage | class map | 80.00 | 84.00 |',
    'classification': '| classifier.mlpackage | most probable class | 80.00 |',
}

SCORED_ON = {
    'detection': r'4 validation pictures, \d+ boxes',
    'segmentation': f'4 validation pictures, {4 * 160 * 160:,} pixels',
    'classification': '4 validation pictures, circle 2, square 1, triangle 1',
}


@dataclass(frozen=True)
class Finished:
    """A demo that has run in a folder."""

    task: str
    demo: Demo
    root: Path
    done: list[steps.Done]


@pytest.fixture(scope='module', params=DEMOS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root, demo = tmp_path_factory.mktemp('empty'), DEMOS[request.param]()
    steps.make_room(root)
    todo = [replace(step, words=TINY.get(step.name, str)(step.words)) for step in demo.steps]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        return Finished(request.param, demo, root, list(steps.run_steps(root, todo, lambda _: None)))


def test_all_steps_fit_together_in_an_empty_folder(finished: Finished) -> None:
    folder, package = finished.root / 'demo', finished.demo.package
    assert [step.name for step in finished.done] == ['data', 'train', 'test', 'fuse', 'export', 'check', 'look']
    assert (folder / 'fused.pth').is_file()
    assert (folder / package / 'Manifest.json').is_file()
    assert '</html>' in (folder / f'{package}.report.html').read_text()
    assert len(list((folder / 'predictions').glob('*.jpg'))) == 4


def test_the_page_holds_what_was_measured(finished: Finished) -> None:
    folder, demo = finished.root / 'demo', finished.demo
    page, said = summary(demo, finished.root, finished.done), facts(demo, finished.root, finished.done)
    export = json.loads((folder / 'export.json').read_text())
    assert said['package'] == (
        f'demo/{demo.package}, {export["bytes"] / 1e6:.1f} MB, knows {", ".join(DRAWN[finished.task])}'
    )
    assert re.fullmatch(SCORED_ON[finished.task], said['scored on'])
    assert all(f'| {name} | {text} |' in page for name, text in said.items())
    assert all(f'`{step.command}`' in page for step in finished.done)
    assert all(f'| {ladder.plain_name(check["name"])} | ' in page for check in export['ladder'])
    assert page.startswith(f'# A {demo.noun} of drawn shapes, ')
    assert '->' not in page
    for target in re.findall(r'\]\((.*?)\)', page):
        # The command that runs the steps draws the sheet.
        assert target == 'pictures.png' or (folder / target).exists(), target


def test_the_page_puts_the_package_s_score_beside_the_model_s(finished: Finished, tmp_path: Path) -> None:
    demo, copy = finished.demo, tmp_path / 'copy'
    ignored = shutil.ignore_patterns('*.pth', '*.mlpackage', 'training')
    shutil.copytree(finished.root / 'demo', copy / 'demo', ignore=ignored)
    export = json.loads((copy / 'demo/export.json').read_text())
    rows = export['scores']['rows']
    for row, metrics in zip(rows, SCORES[finished.task], strict=True):
        row['metrics'] = metrics
    (copy / 'demo/export.json').write_text(json.dumps(export))
    assert facts(demo, copy, finished.done)['score'] == SAID[finished.task]
    page = summary(demo, copy, finished.done)
    assert all(f'| {row["name"]} | {row["rule"]} | ' in page for row in rows)
    assert BESIDE[finished.task] in page
    rows[-1]['metrics'] = {}  # as of a detector that finds nothing
    (copy / 'demo/export.json').write_text(json.dumps(export))
    assert facts(demo, copy, finished.done)['score'].startswith(', '.join(f'{name} -' for name in demo.metrics))


def test_the_first_score_is_what_the_test_says(finished: Finished) -> None:
    (tested,) = (finished.root / 'demo/test').glob('*/2*.json')  # mmengine names both after the time of the run
    row = json.loads((finished.root / 'demo/export.json').read_text())['scores']['rows'][0]
    assert row['metrics']
    known = json.loads(tested.read_text())
    assert row['metrics'] == pytest.approx({key: known[key] for key in row['metrics']}, abs=0.01)


def test_pictures_come_from_the_test_s_predictions(finished: Finished) -> None:
    finished.demo.draw(finished.root / 'sheet.png', finished.root / 'demo')
    sheet = read_picture(finished.root / 'sheet.png')
    assert min(sheet.shape[:2]) > 300
    assert sheet.std() > 10


def test_the_command_for_ones_own_data_runs_as_it_is_printed(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.root)
    assert cli.run(init.main, ['my_set.py', 'demo/data', *finished.demo.own]) == 0
    assert load_config('my_set.py')


@pytest.mark.parametrize('task', DEMOS)
def test_config_and_drawn_classes_agree(task: str) -> None:
    demo = DEMOS[task]()
    config = load_config(find_config(demo.config))
    assert class_names(config) == demo.classes == DRAWN[task]
    assert task_for(config).export.class_count(build_model(config)) == len(demo.classes)
    assert config.data_root == f'{steps.FOLDER}/data/'

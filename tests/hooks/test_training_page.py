"""A page about a training: kept up to date, and without a trace in the training itself."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from page_reader import EVIL, Reader
from trainable_segmenter import write_segmenter

from mobileone_mm.hooks import training_page
from mobileone_mm.openmmlab import configs
from mobileone_mm.outputs import TRAINING

PAGE = {'type': 'mobileone_mm.TrainingPageHook'}
PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
RANDOM = {'type': 'mobileone_mm.RandomnessHook'}
LOCAL = {'visualizer': {'type': 'Visualizer', 'vis_backends': [{'type': 'LocalVisBackend'}]}}
SECTIONS = [
    *('Curves', 'Validation', 'Classes', 'Precision and recall', 'Confusion', 'Worst pictures', 'Training pictures'),
]


def page_of(config: Config) -> Path:
    return Path(config.work_dir) / 'training.html'


def titles(html: str) -> list[str]:
    return re.findall(r'<h2>(.*?)</h2>', html)


class Watch(Hook):  # type: ignore[misc]
    """Keeps what the page says after each epoch."""

    priority = 'LOWEST'

    def __init__(self, path: Path) -> None:
        self.path, self.said = path, list[str]()

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        self.said.append(re.findall('<b>(.*?)</b>', self.path.read_text())[0])


@pytest.fixture
def _all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the training is, each page is drawn."""
    monkeypatch.setattr(training_page, 'MOST_OF_TIME', 1.0)


@pytest.mark.usefixtures('_all_pages')
def test_it_is_kept_up_to_date(config: Config, build: Callable[..., Runner]) -> None:
    runner = build(config, PLAIN, PAGE, **LOCAL, log_processor={'type': 'mobileone_mm.LogProcessor', 'window_size': 50})
    watch = Watch(page_of(config))
    runner.register_hook(watch)
    runner.train()
    html = page_of(config).read_text()
    first, second = watch.said
    assert re.fullmatch(r'Training: epoch 1 of 2, until about \d\d:\d\d', first)
    assert second == 'Training: epoch 2 of 2'
    reader = Reader(html)
    assert reader.texts[reader.texts.index('training') :][:2] == ['training', 'Ended after epoch 2 of 2']
    assert [title for title in titles(html) if title != 'Worst pictures'] == [
        title for title in SECTIONS if title != 'Worst pictures'
    ]
    assert {'loss', 'lr', 'top1', 'bright', 'dark'} <= set(reader.texts)
    assert '16 for training, 16 for validation' in reader.texts
    steps = len(runner.train_dataloader)
    assert steps < runner.log_processor.window_size
    assert any(f'means of the last {steps} steps' in text for text in reader.texts)
    assert len([image for image in reader.images if 'training picture' in str(image['alt'])]) == 12
    assert [path.name for path in Path(config.work_dir).iterdir() if path.name.startswith('.')] == []
    assert TRAINING.ours(page_of(config))


def test_training_is_the_same_with_it(config: Config, build: Callable[..., Runner]) -> None:
    # What is random in a step, such as Mixup's shares, has to stay the same as well: there is no RandomnessHook.
    mixed = {'model.train_cfg': {'augments': [{'type': 'Mixup', 'alpha': 0.8}]}}
    plain = build(config, PLAIN, **mixed)
    plain.train()
    other = config.copy()
    other.work_dir = str(Path(config.work_dir).with_name('other'))
    watched = build(other, PLAIN, PAGE, **mixed)
    watched.train()
    assert page_of(other).is_file()
    torch.testing.assert_close(watched.model.state_dict(), plain.model.state_dict(), rtol=0, atol=0)


@pytest.mark.usefixtures('_all_pages')
def test_resumed_its_curves_go_on(config: Config, build: Callable[..., Runner]) -> None:
    hooks = [PLAIN, RANDOM, PAGE]
    build(config, *hooks, **LOCAL, train_cfg={'max_epochs': 1}).train()
    first = page_of(config).read_text()
    (log,) = (entry for entry in Path(config.work_dir).glob('2*') if entry.is_dir())
    log.rename(log.with_name('20000101_000000'))  # two runs of one second would share a folder
    runner = build(config, *hooks, **LOCAL, resume=True)
    runner.train()
    assert points(first, 'Loss') == 2
    assert points(page_of(config).read_text(), 'Loss') == 4
    assert 'epoch 2 of 2' in page_of(config).read_text()


def points(html: str, title: str) -> int:
    """How many points the first curve of a plot has."""
    (plot,) = re.findall(rf'<h3>{title}</h3>(.*?)</figure>', html, re.DOTALL)
    (path,) = re.findall(r'<path d="([^"]*)"[^>]*stroke: #3f6fb5', plot)[:1]
    return str(path).count('L') + 1


def test_a_file_of_someone_else_stays_and_training_goes_on(
    config: Config, build: Callable[..., Runner], caplog: pytest.LogCaptureFixture
) -> None:
    page_of(config).parent.mkdir(parents=True)
    page_of(config).write_text('<p>mine</p>')
    runner = build(config, PLAIN, PAGE)
    runner.logger.addHandler(caplog.handler)
    runner.train()
    said = {record.getMessage() for record in caplog.records if 'training.html' in record.getMessage()}
    assert said == {
        f'training.html cannot be written: {page_of(config)}: this file is not a page about a training written by '
        'mobileone_mm; move it away, or choose another path'
    }
    assert page_of(config).read_text() == '<p>mine</p>'
    assert runner.epoch == 2


class Spoil(Hook):  # type: ignore[misc]
    """Puts a folder where the page is to be written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def before_train_epoch(self, runner: Runner) -> None:
        if not self.path.is_dir():
            self.path.mkdir(parents=True)


@pytest.mark.usefixtures('_all_pages')
def test_what_goes_wrong_while_it_is_drawn_is_warned_of_once(
    config: Config, build: Callable[..., Runner], caplog: pytest.LogCaptureFixture
) -> None:
    runner = build(config, PLAIN, PAGE)
    runner.register_hook(Spoil(page_of(config)))
    runner.logger.addHandler(caplog.handler)
    runner.train()
    assert runner.epoch == 2
    records = [record for record in caplog.records if 'training.html' in record.getMessage()]
    assert len({id(record) for record in records}) == 1


def test_names_that_are_html_stay_names(config: Config, build: Callable[..., Runner]) -> None:
    names = [f'{EVIL}<script>alert(1)</script>', '\x1b]0;x\x07']
    changed = {f'{part}_dataloader.dataset.metainfo': {'classes': names} for part in ('train', 'val')}
    build(config, PLAIN, PAGE, **changed).train()
    html = page_of(config).read_text()
    reader = Reader(html)
    assert '<script' not in html
    assert '\x1b' not in html
    assert "default-src 'none'" in html
    assert any(names[0] in text for text in reader.texts)


def test_a_segmenter_has_its_masks_and_ious(tmp_path: Path) -> None:
    lines = [
        'train_cfg = dict(max_epochs=1, val_interval=1)',
        f'custom_hooks = [*_base_.custom_hooks, {PAGE}]',
        "default_hooks = dict(logger=dict(interval=1))\ndefault_hooks['visualization'] = None",
    ]
    path = write_segmenter(tmp_path, *lines)
    config = configs.load_config(path)
    config.default_hooks.pop('visualization')
    config.merge_from_dict({'experiment_name': 'page of masks', 'log_level': 'ERROR'})
    configs.enter_scope(config)
    Runner.from_cfg(config).train()
    html = page_of(config).read_text()
    assert titles(html) == [title for title in SECTIONS if title != 'Precision and recall']
    texts = Reader(html).texts
    assert texts[texts.index('class') :][:6] == ['class', 'IoU', 'recall', 'precision', 'pixels annotated', 'found']
    assert {'aeroplane', 'bicycle', 'background', 'mIoU', 'decode.loss_ce'} <= set(texts)
    assert any('validation pictures after epoch 1' in text for text in texts)


def test_others_than_the_first_rank_write_nothing(
    config: Config, build: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_page, 'is_main_process', lambda: False)
    build(config, PLAIN, PAGE).train()
    assert not page_of(config).exists()

"""The hook that says what anchors reach: before the first step, and nothing where there are none."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from own_folders import tiny_ssd, write_coco
from torch import nn

from mobileone_mm.hooks import AnchorReachHook
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.log import ATTRIBUTE
from mobileone_mm.openmmlab.test_data import open_dataset
from mobileone_mm.setup.by_layout import propose
from mobileone_mm.setup.proposal import Wishes

FITTING, TOO_LARGE = 20, 2.0  # px of the boxes; times the size of anchors that fit them


class Logger:
    """Keeps what is logged: its level, the text, and the screen's."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []

    def info(self, text: str, extra: dict[str, str]) -> None:
        self.entries.append(('info', text, extra[ATTRIBUTE]))

    def warning(self, text: str, extra: dict[str, str]) -> None:
        self.entries.append(('warning', text, extra[ATTRIBUTE]))


def runner_of(model: nn.Module, dataset: Any, **changes: Any) -> Any:
    loader = SimpleNamespace(dataset=dataset)
    known = {'_resume': False, '_has_loaded': False, 'model': model, 'train_dataloader': loader, 'logger': Logger()}
    return SimpleNamespace(**{**known, **changes})


def said(runner: Any) -> list[tuple[str, str, str]]:
    AnchorReachHook().before_train(runner)
    entries: list[tuple[str, str, str]] = runner.logger.entries
    return entries


def test_what_anchors_reach_is_said_once_and_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_coco(Path('data'), side=FITTING)
    config = configs.load_config(tiny_ssd(propose('data', Wishes(input_size=(96, 96)))))
    model, dataset = configs.build_model(config), open_dataset(config, 'train_dataloader')

    text = 'anchors reach 100 % of the boxes at an IoU of 0.5 (cat 100 %, dog 100 %)'
    assert said(runner_of(model, dataset)) == [('info', text, text)]

    sizes = config.model.bbox_head.anchor_generator.base_sizes
    sizes[:] = [[(TOO_LARGE * width, TOO_LARGE * height) for width, height in level] for level in sizes]
    worse = configs.build_model(config)
    ((level, text, screen),) = said(runner_of(worse, dataset))
    assert (level, screen) == ('warning', f'warning: {text}')
    assert text.startswith('anchors reach 0 % of the boxes at an IoU of 0.5 (cat 0 %, dog 0 %); another 100 %')
    assert 'Under 80 % of a class, the rest is hardly learned. These anchors reach 100 %; in the config' in text
    assert "type='YOLOAnchorGenerator'," in text

    assert said(runner_of(worse, dataset, _resume=True, _has_loaded=True)) == []
    assert len(said(runner_of(worse, dataset, _resume=True))) == 1  # there was no checkpoint to go on from
    assert said(runner_of(nn.Linear(1, 1), dataset)) == []


def test_a_classifier_trains_as_without_it(config: Config, build: Callable[..., Runner]) -> None:
    runner = build(config, {'type': 'mobileone_mm.AnchorReachHook'}, train_cfg={'by_epoch': True, 'max_epochs': 1})
    runner.train()
    assert runner.epoch == 1

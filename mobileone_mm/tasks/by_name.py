"""The tasks by name: one more is one folder and two lines here.

A task is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mobileone_mm.artifact.card import Card, card_of, task_of
from mobileone_mm.tasks.classification.options import ClassificationOptions
from mobileone_mm.tasks.detection.options import DetectionOptions
from mobileone_mm.tasks.segmentation.options import SegmentationOptions

if TYPE_CHECKING:
    from mmengine.config import Config

    from mobileone_mm.tasks.task import Task

OPTIONS: Mapping[str, type[Any]] = {
    'detection': DetectionOptions,
    'segmentation': SegmentationOptions,
    'classification': ClassificationOptions,
}


def _detection() -> Task:
    from mobileone_mm.tasks.detection.task import TASK

    return TASK


def _segmentation() -> Task:
    from mobileone_mm.tasks.segmentation.task import TASK

    return TASK


def _classification() -> Task:
    from mobileone_mm.tasks.classification.task import TASK

    return TASK


TASKS: Mapping[str, Callable[[], Task]] = {
    'detection': _detection,
    'segmentation': _segmentation,
    'classification': _classification,
}


def task_named(name: str) -> Task:
    """A task that a card names."""
    return TASKS[name]()


def task_for(config: Config) -> Task:
    """The task that a config's models are for.

    Raises:
        ConfigError: none that is known.
    """
    from mobileone_mm.openmmlab.configs import task_of  # late: options are looked at without torch

    return task_named(task_of(config))


def read_card(metadata: Mapping[str, str]) -> Card:
    """What a file says about itself, from its metadata.

    Raises:
        ExportError: entries are missing or wrong, another version wrote them, or its task is not known.
    """
    export = task_named(task_of(metadata, TASKS)).export
    return card_of(metadata, export.probe, export.setting_checks)

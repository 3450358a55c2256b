"""The tasks by name: one more is one folder and one line here."""

from collections.abc import Mapping

from mmengine.config import Config

from mobileone_mm.artifact.card import Card, card_of, task_of
from mobileone_mm.errors import ConfigError, ExportError
from mobileone_mm.tasks.detection.task import TASK as DETECTION
from mobileone_mm.tasks.task import Task

TASKS: Mapping[str, Task] = {task.name: task for task in (DETECTION,)}


def task_for(config: Config) -> Task:
    """The task that a config's models are for.

    Raises:
        ConfigError: none that is known.
    """
    for task in TASKS.values():
        if task.host == config.default_scope:
            return task
    raise ConfigError(
        f'{config.filename}: a config for {config.default_scope}, expected one for '
        f'{" or ".join(f"{task.host} ({task.name})" for task in TASKS.values())}'
    )


def read_card(metadata: Mapping[str, str]) -> Card:
    """What a file says about itself, from its metadata.

    Raises:
        ExportError: entries are missing or wrong, another version wrote them, or its task is not known.
    """
    name = task_of(metadata)
    if name not in TASKS:
        raise ExportError(f'metadata: task {name!r}, expected {" or ".join(TASKS)}')
    return card_of(metadata, TASKS[name].export.probe, TASKS[name].export.setting_checks)

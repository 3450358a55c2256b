"""Which options an export has: those of its task and those of its format, by one name each."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from mobileone_mm.artifact.formats import ARTIFACTS
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.by_ending import TARGETS
from mobileone_mm.targets.target import Target
from mobileone_mm.tasks.task import Task


def target_to_write(out: str | Path) -> Target:
    """The format that an output path names.

    Raises:
        UsageError: with the endings that are known.
    """
    ending = Path(out).suffix
    if ending not in TARGETS:
        raise UsageError(f'{out}: ending {ending!r} given, expected {" or ".join(ARTIFACTS)}')
    return TARGETS[ending]


def split_options(task: Task, target: Target, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """The options of a task and of a format, out of those that were given, by name.

    Raises:
        UsageError: an option belongs to another format, or a value is wrong.
    """
    of_task, of_target = _names(task.options), _names(target.options)
    for name in given:
        if name not in of_task | of_target:
            owners = ' and '.join(ending for ending, other in TARGETS.items() if name in _names(other.options))
            raise UsageError(f'`{name}`: for {owners} alone, {target.ending} given; leave it out')
    return (
        task.options(**{name: value for name, value in given.items() if name in of_task}),
        target.options(**{name: value for name, value in given.items() if name in of_target}),
    )


def _names(options: Any) -> set[str]:
    return {field.name for field in fields(options)}

"""Which options an export has: those of its task and those of its format, by one name each."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mobileone_mm.errors import UsageError
from mobileone_mm.targets.by_ending import OPTIONS as TARGET_OPTIONS
from mobileone_mm.tasks.by_name import OPTIONS as TASK_OPTIONS


def split_options(task: str, ending: str, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """The options of a task and of a format, out of those that were given, by name.

    Raises:
        UsageError: an option belongs to another format, or a value is wrong.
    """
    of_task, of_target = TASK_OPTIONS[task], TARGET_OPTIONS[ending]
    for name in given:
        if name not in _names(of_task) | _names(of_target):
            owners = ' and '.join(other for other, options in TARGET_OPTIONS.items() if name in _names(options))
            raise UsageError(f'`{name}`: for {owners} alone, {ending} given; leave it out')
    return tuple(
        options(**{name: value for name, value in given.items() if name in _names(options)})
        for options in (of_task, of_target)
    )


def _names(options: type[Any]) -> set[str]:
    return {field.name for field in fields(options)}

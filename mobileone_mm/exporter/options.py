"""Which options an export has: those of its task and those of its format, by one name each."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from mobileone_mm.errors import UsageError
from mobileone_mm.targets.by_ending import OPTIONS as TARGET_OPTIONS
from mobileone_mm.tasks.by_name import OPTIONS as TASK_OPTIONS


def option_fields() -> dict[str, Field[Any]]:
    """Every option of a task or a format by its name, with its flag: see `mobileone_mm.flags.typed`."""
    tables = (*TASK_OPTIONS.values(), *TARGET_OPTIONS.values())
    return {field.name: field for options in tables for field in fields(options)}


def check_options(ending: str, given: Mapping[str, Any]) -> None:
    """Refuse options, by name, that no task has in this format; before it is known which task it is.

    Raises:
        UsageError: an option is unknown or belongs to another format, or a value is wrong.
    """
    for name in given:
        if name not in _names(TARGET_OPTIONS[ending]).union(*map(_names, TASK_OPTIONS.values())):
            _require_owner(name, TARGET_OPTIONS, ending)
    for options in (TARGET_OPTIONS[ending], *TASK_OPTIONS.values()):
        _made(options, given)


def split_options(task: str, ending: str, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """The options of a task and of a format, out of those that were given, by name.

    Raises:
        UsageError: an option is unknown, or belongs to another task or format, or a value is wrong.
    """
    check_options(ending, given)
    for name in given:
        if name not in _names(TARGET_OPTIONS[ending]) | _names(TASK_OPTIONS[task]):
            _require_owner(name, TASK_OPTIONS, task)
    return _made(TASK_OPTIONS[task], given), _made(TARGET_OPTIONS[ending], given)


def _require_owner(name: str, table: Mapping[str, type[Any]], asked: str) -> None:
    owners = [key for key, options in table.items() if name in _names(options)]
    if not owners:
        raise UsageError(f'`{name}`: no such option')
    raise UsageError(f'`{name}`: for {" and ".join(owners)} alone, {asked} given; leave it out')


def _made(options: type[Any], given: Mapping[str, Any]) -> Any:
    return options(**{name: value for name, value in given.items() if name in _names(options)})


def _names(options: type[Any]) -> set[str]:
    return {field.name for field in fields(options)}

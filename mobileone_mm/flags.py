"""How the options of an export are typed: their flags, each beside the option that it gives."""

from dataclasses import field
from typing import Any

# Of those that help, wherever a reader stands: it is `mobileone export` that takes them.
FLAGS = {'fp32_ops': '--fp32-op', 'precision': '--precision', 'weights': '--weights', 'images': '--image'}


def typed(default: Any, flag: str, text: str, **how: Any) -> Any:
    """A field of a class of options, with the flag that a command has for it.

    Args:
        default: of the field.
        flag: as it is typed.
        text: its line in the help, which ends in the default where that can be typed.
        how: what else argparse is told of it.
    """
    said = f' ({default})' if isinstance(default, str | float) else ''
    return field(default=default, metadata={'flag': flag, 'how': {'help': f'{text}{said}', **how}})

"""Reads a .pth without running code from it: tensors, numbers, strings, containers; all else is refused by name."""

import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from mobileone_mm.errors import CheckpointError, printable, shown
from mobileone_mm.weights.intact import require_intact
from mobileone_mm.weights.nesting import require_end

# What mmengine's loggers leave in the `message_hub` of a training checkpoint. Where a file names nothing but these,
# each is read as an inert `_Discarded`, and the message hub is thrown away.
MESSAGE_HUB_GLOBALS = frozenset(
    (
        'mmengine.logging.history_buffer.HistoryBuffer',
        'numpy._core.multiarray._reconstruct',
        'numpy._core.multiarray.scalar',
        'numpy.core.multiarray._reconstruct',
        'numpy.core.multiarray.scalar',
        'numpy.ndarray',
        'numpy.dtype',
        '_codecs.encode',
        'builtins.getattr',
        '__builtin__.getattr',
    )
)


class _Discarded:
    """Stands for any class or function of `MESSAGE_HUB_GLOBALS`: takes whatever it is given, does and keeps nothing."""

    def __new__(cls, *args: object) -> '_Discarded':
        return super().__new__(cls)

    def __init__(self, *args: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def read(path: Path) -> Any:
    """What a .pth file holds, tensors on the CPU, without mmengine's message hub.

    Raises:
        CheckpointError: whatever goes wrong, since all of it is about this file.
    """
    try:
        require_intact(path)
        require_end(path)
        try:
            return _loaded(path)
        except UnpicklingError as error:
            named = _names_of_code(path, error)
        with torch.serialization.safe_globals([(_Discarded, name) for name in named]):
            contents = _loaded(path)
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(f'{path}: cannot be read as a weight file (.pth): {_reason(error)}') from error
    if isinstance(contents, dict):
        contents.pop('message_hub', None)
    return contents


def _loaded(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of how torch itself reads a file; the tensors are looked at later
        return torch.load(path, map_location='cpu', weights_only=True)  # noqa: TID251 - here it is allowed


def _names_of_code(path: Path, refused: UnpicklingError) -> set[str]:
    """The names in a file that torch refused, if all of them are those of mmengine's message hub."""
    try:
        named = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except ValueError:  # the format before torch 1.6
        named = set(re.findall(r'GLOBAL (\S+)', str(refused)))  # the first of them
    if not named:
        raise refused
    if not named <= MESSAGE_HUB_GLOBALS:
        raise CheckpointError(
            f'{path}: refused, since reading must not run code from a file (it names code: '
            f'{shown(sorted(named - MESSAGE_HUB_GLOBALS))}); expected tensors, numbers, strings and containers. '
            "If it is yours, save its weights alone where it was made: torch.save(model.state_dict(), 'weights.pth')"
        ) from refused
    return named


def _reason(error: Exception) -> str:
    """The line of torch's message that names the fault; its advice on untrusted files is not ours."""
    lines = str(error).rpartition('WeightsUnpickler error: ')[2].strip().splitlines()
    if lines and lines[0].startswith('Weights only load failed'):
        lines = [line for line in lines[1:] if line.strip()]
    return printable(': '.join([type(error).__name__, *lines[:1]]))

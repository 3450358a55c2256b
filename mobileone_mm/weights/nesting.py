"""Whether what a weight file holds has an end: read off the pickle's instructions, before anything is built from them.

A few bytes can say a tuple of twice the same tuple, sixty times over. Torch builds it at once; whatever then looks at
all of it, such as the hash of a tuple that is the key of a dict, never ends.
"""

import os
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mobileone_mm.errors import CheckpointError

MOST_VALUES = 10_000_000  # those in two places twice; a checkpoint with its optimizer has some 100,000
LEGACY_PICKLES = 5  # in a file of the format before torch 1.6
PICKLE_RECORD = 'data.pkl'
LENGTHS = 26  # where the header of a record in a zip file has those of its name and of what follows that
MARK = object()
FILLED = {'APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'ADDITEMS', 'BUILD'}  # what is below them takes what is above


def require_end(path: Path) -> None:
    """Refuse a file whose values, each counted as often as it is met on the way through all, are too many to look at.

    For a file that `require_intact` has passed. What is no pickle is left to torch, whose message says what is wrong.

    Raises:
        CheckpointError: there are more than `MOST_VALUES`.
    """
    for pickled in _pickles(path):
        if _most_values(pickled) > MOST_VALUES:
            raise CheckpointError(
                f'{path}: refused, since it holds values within values, more than {MOST_VALUES:,} in all; expected '
                'tensors, and the few values that describe a training'
            )


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    with path.open('rb') as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            for _ in range(LEGACY_PICKLES):  # one after the other
                yield file
            return
        for record in zipfile.ZipFile(file).infolist():
            if record.filename.rpartition('/')[2] == PICKLE_RECORD:
                # Not by zipfile, which reads nothing that was written without checksums.
                file.seek(record.header_offset + LENGTHS)
                file.seek(sum(struct.unpack('<HH', file.read(4))), os.SEEK_CUR)
                yield file


def _most_values(pickled: IO[bytes]) -> int:
    """The values of the largest thing that a pickle builds, by running its instructions on numbers of values."""
    stack: list[Any] = []
    memo: dict[Any, list[int]] = {}
    most = 0
    try:
        for instruction, argument, _ in pickletools.genops(pickled):
            name = instruction.name
            if name in ('PUT', 'BINPUT', 'LONG_BINPUT'):
                memo[argument] = stack[-1]
            elif name == 'MEMOIZE':
                memo[len(memo)] = stack[-1]
            elif name in ('GET', 'BINGET', 'LONG_BINGET'):
                stack.append(memo[argument])
            elif name == 'MARK':
                stack.append(MARK)
            elif name != 'STOP':
                most = max(most, _run(instruction, stack))
    except (ValueError, IndexError, KeyError, TypeError):  # no pickle
        return most
    return most


def _run(instruction: Any, stack: list[Any]) -> int:
    """What an instruction does to the stack, where each value is a list of one number; returns the largest it makes."""
    before, after = instruction.stack_before, instruction.stack_after
    taken: list[list[int]] = []
    if pickletools.markobject in before:
        while (one := stack.pop()) is not MARK:
            taken.append(one)
        before = before[: before.index(pickletools.markobject)]
    if instruction.name in FILLED:
        taken += [stack.pop() for _ in before[1:]]
        filled = stack[-1]  # the memo may know it: it changes in place
        filled[0] += sum(one[0] for one in taken)
        return int(filled[0])
    taken += [stack.pop() for _ in before]
    made = 1 + sum(one[0] for one in taken)
    stack += [[made] for _ in after]
    return made

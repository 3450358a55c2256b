"""What has to be mended in a set of files before it can be trained on, listed all at once with the cures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mobileone_mm.errors import DataError, printable

FAULTS_SHOWN = 10


@dataclass(frozen=True)
class Fault:
    """Something that has to be mended before a set can be trained on.

    Attributes:
        place: the file or folder.
        text: what is wrong with it.
        kind: of faults with the same cure.
        stem: of an image and its mask, the name of those that have it; empty where there are none, as the image is not
            there or cannot be used.
    """

    place: str
    text: str
    kind: str
    stem: str = ''


def require_none(faults: Sequence[Fault], cures: Sequence[str], where: str, total: int, rank: int = 0) -> None:
    """Refuse a set with faults.

    Args:
        faults: what was found in it.
        cures: what to do, one text for each kind of fault.
        where: its folder.
        total: number of its images.
        rank: of this process among those that train together. All find the same, and the first one lists it.

    Raises:
        DataError: with the number of faults, the first of them, and their cures.
    """
    if faults:
        raise DataError(fault_text(faults, cures, where, total) if rank == 0 else _briefly(faults, where, total))


def fault_text(faults: Sequence[Fault], cures: Sequence[str], where: str, total: int) -> str:
    """The number of faults, the first of them a line each, and their cures."""
    count = len(faults)
    first = f', the first {FAULTS_SHOWN} of them' if count > FAULTS_SHOWN else ''
    lines = [f'{_counted(faults, where, total)}{first}:']
    lines += [f'  {printable(fault.place)}: {fault.text}' for fault in faults[:FAULTS_SHOWN]]
    kinds = Counter(fault.kind for fault in faults)
    if count > FAULTS_SHOWN:
        lines.append(f'  in all: {", ".join(f"{number} x {kind}" for kind, number in kinds.most_common())}')
    return '\n'.join([*lines, *cures])


def _briefly(faults: Sequence[Fault], where: str, total: int) -> str:
    """A line that says enough where this process alone has the faults: its files may lie on another machine."""
    first = faults[0]
    place = printable(first.place)
    return f'{_counted(faults, where, total)}, one of them {place}: {first.text}; the first process lists its own'


def _counted(faults: Sequence[Fault], where: str, total: int) -> str:
    count = len(faults)
    images = f'{total} image' if total == 1 else f'{total} images'
    return f'{where}: {count} {"fault" if count == 1 else "faults"} in a set of {images}'

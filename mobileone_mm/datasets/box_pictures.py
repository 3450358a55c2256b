"""Whether the image files of a set of boxes can be read, and have the sizes that its boxes are for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mobileone_mm.datasets.faults import Fault
from mobileone_mm.datasets.picture_facts import Facts
from mobileone_mm.pictures.decoding import UPRIGHT

UNREADABLE, TURNED, NOT_TURNED, SIZE = (
    'image unreadable',
    'turned by EXIF data',
    'not turned by EXIF data',
    'other size than annotated',
)
IGNORING = "color_type='color_ignore_orientation'"  # of a loader, in mmcv's words
CURES = {
    UNREADABLE: 'images that cannot be read: replace them, or take them out of the annotations',
    TURNED: (
        'turned by EXIF data: these boxes are for the pictures as they are stored, and training loads them upright; '
        'take the tag away (exiftool -Orientation= FILES), draw the boxes anew, or load all pictures as they are '
        f'stored, with {IGNORING} in every LoadImageFromFile'
    ),
    NOT_TURNED: (
        'not turned by EXIF data: these boxes are for upright pictures, and the pipeline loads them as they are '
        f'stored; take {IGNORING} out of it'
    ),
    SIZE: (
        'other sizes than annotated: boxes are in pixels of the annotated size; bring back the pictures of that size, '
        'or scale the boxes and write the new size beside them. If only the size is wrong, correct it'
    ),
}


@dataclass(frozen=True)
class Annotated:
    """An image file, and the size in px that its boxes are for."""

    path: str
    width: int
    height: int


def faults_of(images: Sequence[Annotated], facts: Mapping[str, Facts], upright: bool) -> Iterator[Fault]:
    """What is wrong with the image files.

    Args:
        images: of the set.
        facts: of the files, by path.
        upright: whether training turns pictures as their EXIF data say.
    """
    for image in images:
        seen = facts[image.path]
        if seen.fault:
            yield Fault(image.path, f'cannot be read: {seen.fault}', UNREADABLE)
            continue
        upright_size = seen.width, seen.height
        loaded, other = (upright_size, seen.stored_size) if upright else (seen.stored_size, upright_size)
        annotated = image.width, image.height
        if annotated == loaded:
            continue
        text = f'{_px(loaded)}, its boxes are for {_px(annotated)}'
        if seen.turned and annotated == other:
            yield Fault(image.path, f'loaded as {text}', TURNED if upright else NOT_TURNED)
        else:
            yield Fault(image.path, text, SIZE)


def cures_of(faults: Sequence[Fault]) -> list[str]:
    """What to do, a line for each kind of fault."""
    kinds = {fault.kind for fault in faults}
    return [cure for kind, cure in CURES.items() if kind in kinds]


def doubtful(images: Sequence[Annotated], facts: Mapping[str, Facts]) -> list[str]:
    """Files that EXIF data turn or mirror, and whose size would be the same if their boxes did not follow."""
    found = ((image.path, facts[image.path]) for image in images)
    return [
        path for path, seen in found if seen.orientation != UPRIGHT and seen.stored_size == (seen.width, seen.height)
    ]


def _px(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]} px'

"""What can be chosen about a set of drawn shapes, checked before anything is drawn."""

from dataclasses import dataclass

from mobileone_mm.errors import UsageError

SMALLEST_SIDE = 32  # px: below, a shape is a handful of pixels


@dataclass(frozen=True)
class ToyOptions:
    """What to draw; the same options give the same pixels and boxes.

    Raises:
        UsageError: a count below 1, a side below `SMALLEST_SIDE`, or a negative seed.
    """

    images: int = 300
    val: int = 60
    size: int = 160
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {
            'images': 1,
            'val': 1,
            'size': SMALLEST_SIDE,
            'seed': 0,
        }.items():
            if getattr(self, name) < least:
                raise UsageError(f'`{name}`: {getattr(self, name)} given, expected {least} or more')

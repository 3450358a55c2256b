"""What can be chosen about an exported segmenter, whatever its format."""

from dataclasses import dataclass

from mobileone_mm.errors import UsageError
from mobileone_mm.flags import typed

ARRAY, IMAGE = 'array', 'image'
MAPS = (ARRAY, IMAGE)
MAP_STRIDES = (1, 2, 4, 8)
KNOWN_STRIDES = ', '.join(map(str, MAP_STRIDES))
MANY_CLASSES = 32  # from here on, a choice at full size adds half to a light model's time: benchmarks/segmentation.md
LEVELS = 256  # classes that an 8-bit picture can tell apart


@dataclass(frozen=True)
class SegmentationOptions:
    """Options of a segmenter.

    Attributes:
        map: how the class map comes out: 'array', whole numbers (H, W), or 'image', an 8-bit picture of one component.
        map_stride: the logits are enlarged to the input size divided by this, the best class is chosen there, and each
            choice fills a square of as many pixels; None is 1, or 4 for `MANY_CLASSES` and more.
        logits: give the logits as well, at that grid.

    Raises:
        UsageError: a value is not known.
    """

    map: str = typed(
        ARRAY,
        '--map',
        f'segmenter: the class map as {" or ".join(MAPS)}, whole numbers or an 8-bit picture',
    )
    map_stride: int | None = typed(
        None,
        '--map-stride',
        f'segmenter: classes are chosen on a grid so many times coarser: {KNOWN_STRIDES} '
        f'(1; 4 from {MANY_CLASSES} classes on)',
        type=int,
    )
    logits: bool = typed(False, '--logits', 'segmenter: the scores of all classes too', action='store_true')

    def __post_init__(self) -> None:
        if self.map not in MAPS:
            raise UsageError(f'`map`: {self.map!r} given, expected one of {", ".join(MAPS)}')
        if self.map_stride is not None and self.map_stride not in MAP_STRIDES:
            raise UsageError(f'`map_stride`: {self.map_stride} given, expected one of {KNOWN_STRIDES}')

    def stride_for(self, classes: int) -> int:
        """The map stride for a number of classes."""
        if self.map_stride is not None:
            return self.map_stride
        return 4 if classes >= MANY_CLASSES else 1

    def require(self, classes: int, size: tuple[int, int]) -> None:
        """Refuse what does not go with a number of classes or an input size (width, height).

        Raises:
            UsageError: with what does.
        """
        if self.map == IMAGE and classes > LEVELS:
            raise UsageError(
                f'`map` image: an 8-bit picture tells {LEVELS} classes apart, the model has {classes}; '
                f'`map` {ARRAY} holds any number'
            )
        stride, (width, height) = self.stride_for(classes), size
        if width % stride or height % stride:
            raise UsageError(
                f'`map_stride` {stride}: does not divide the input size {width}x{height}; `map_stride` 1 always does'
            )

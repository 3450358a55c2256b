"""What can be chosen about an exported detector, whatever its format."""

from dataclasses import dataclass

from mobileone_mm.errors import UsageError
from mobileone_mm.flags import typed


@dataclass(frozen=True)
class DetectionOptions:
    """Options of a detector.

    Attributes:
        iou_threshold: default of the artifact's input `iouThreshold`, 0..1: of two boxes with the same label that
            overlap more, the less confident one goes.
        confidence_threshold: default of the artifact's input `confidenceThreshold`, 0..1. Suppression costs the square
            of the number of boxes above it.

    Raises:
        UsageError: a value is out of range.
    """

    iou_threshold: float = typed(0.45, '--iou-threshold', 'detector: default of the file, 0..1', type=float)
    confidence_threshold: float = typed(
        0.25, '--confidence-threshold', 'detector: default of the file, 0..1', type=float
    )

    def __post_init__(self) -> None:
        require_fraction('iou_threshold', self.iou_threshold)
        require_fraction('confidence_threshold', self.confidence_threshold)


def require_fraction(option: str, value: float) -> None:
    """Refuse a threshold outside 0..1.

    Raises:
        UsageError: with the option.
    """
    if not 0 <= value <= 1:
        raise UsageError(f'`{option}`: {value:g} given, expected 0..1 (0.3 for 30 %)')

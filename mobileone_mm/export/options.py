"""What a user can choose about an export, checked before anything is loaded."""

import re
from dataclasses import dataclass
from pathlib import Path

from mobileone_mm.errors import UsageError

# Core ML specification version of each target (coremltools: mlmodel/format/Model.proto). ML programs begin with iOS 15.
SPEC_VERSIONS = {'iOS15': 6, 'iOS16': 7, 'iOS17': 8, 'iOS18': 9}
PACKAGE_ENDING = '.mlpackage'
_SIZE = re.compile(r'([1-9][0-9]*)x([1-9][0-9]*)')


@dataclass(frozen=True)
class DetectorOptions:
    """Options of a detector package.

    Attributes:
        target: oldest system that shall run the package, a key of `SPEC_VERSIONS`.
        iou_threshold: default of the package's input `iouThreshold`, 0..1: of two boxes with the same label that
            overlap more, the less confident one goes.
        confidence_threshold: default of the package's input `confidenceThreshold`, 0..1. Suppression costs the square
            of the number of boxes above it.
        input_size: (width, height) in pixels; None takes the config's test pipeline.
        pad_classes: fill the confidence columns with zeros up to the next multiple of 80, which Core ML's hand-over
            from an ML program to the suppression stage needs (docs/package.md).

    Raises:
        UsageError: a value is out of range, with its flag.
    """

    target: str = 'iOS16'
    iou_threshold: float = 0.45
    confidence_threshold: float = 0.25
    input_size: tuple[int, int] | None = None
    pad_classes: bool = True

    def __post_init__(self) -> None:
        if self.target not in SPEC_VERSIONS:
            raise UsageError(f'--target: {self.target!r} given, expected one of {", ".join(SPEC_VERSIONS)}')
        require_fraction('--iou-threshold', self.iou_threshold)
        require_fraction('--confidence-threshold', self.confidence_threshold)
        if self.input_size is not None and min(self.input_size) < 1:
            raise UsageError(f'--input-size: {self.input_size} given, expected a width and a height in pixels')

    @property
    def spec_version(self) -> int:
        """Core ML specification version that `target` reads."""
        return SPEC_VERSIONS[self.target]


def require_fraction(flag: str, value: float) -> None:
    """Refuse a threshold outside 0..1.

    Raises:
        UsageError: with the flag.
    """
    if not 0 <= value <= 1:
        raise UsageError(f'{flag}: {value:g} given, expected 0..1 (0.3 for 30 %)')


def parse_size(text: str) -> tuple[int, int]:
    """Read '320x240' as (width 320, height 240), in pixels.

    Raises:
        UsageError: the text is anything else.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f'--input-size: {text!r} given, expected WIDTHxHEIGHT in pixels, such as 320x320')
    return int(match[1]), int(match[2])


def require_package_path(out: str | Path) -> Path:
    """Refuse an output path whose ending is no format that can be written.

    Raises:
        UsageError: the ending is not `.mlpackage`.
    """
    path = Path(out)
    if path.suffix != PACKAGE_ENDING:
        raise UsageError(f'--out {path}: ending {path.suffix!r} given, expected {PACKAGE_ENDING} (a Core ML package)')
    return path

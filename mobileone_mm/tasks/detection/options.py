"""What a user can choose about an export, checked before anything is loaded."""

import re
from dataclasses import dataclass
from pathlib import Path

from mobileone_mm.errors import UsageError

# Core ML specification version of each target (coremltools: mlmodel/format/Model.proto). ML programs begin with iOS 15.
SPEC_VERSIONS = {'iOS15': 6, 'iOS16': 7, 'iOS17': 8, 'iOS18': 9}
PACKAGE_ENDING = '.mlpackage'
ONNX_ENDING = '.onnx'
FLOATS = {'fp16': 'float16', 'fp32': 'float32'}  # what a program computes in
# How weights are stored, and the first system that unpacks them.
WEIGHTS = {'fp16': 'iOS15', 'int8': 'iOS16', 'palette8': 'iOS16', 'palette6': 'iOS16'}
EXPERIMENTAL = ('palette6',)  # below 8 bits, scores fall unless a model is trained for it
# Flags and fields that say how Core ML shall do it.
PACKAGE_ONLY = {
    '--target': 'target',
    '--no-class-padding': 'pad_classes',
    '--weights': 'weights',
    '--precision': 'precision',
    '--fp32-op': 'fp32_ops',
}
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
        weights: how a package stores its weights, a key of `WEIGHTS`; 'fp16' is as it computes.
        precision: what a package computes in, a key of `FLOATS`.
        fp32_ops: layers that compute in float32 in a float16 package, as shell patterns of their names
            ('neck.l2_norm', 'backbone.stage4.*'); all that is inside a layer goes with it.
        nms: whether an ONNX file ends in suppression; a package always does.

    Raises:
        UsageError: a value is out of range, with its flag, or two do not go together.
    """

    target: str = 'iOS16'
    iou_threshold: float = 0.45
    confidence_threshold: float = 0.25
    input_size: tuple[int, int] | None = None
    pad_classes: bool = True
    weights: str = 'fp16'
    precision: str = 'fp16'
    fp32_ops: tuple[str, ...] = ()
    nms: bool = False

    def __post_init__(self) -> None:
        if self.target not in SPEC_VERSIONS:
            raise UsageError(f'--target: {self.target!r} given, expected one of {", ".join(SPEC_VERSIONS)}')
        require_fraction('--iou-threshold', self.iou_threshold)
        require_fraction('--confidence-threshold', self.confidence_threshold)
        if self.input_size is not None and min(self.input_size) < 1:
            raise UsageError(f'--input-size: {self.input_size} given, expected a width and a height in pixels')
        if self.weights not in WEIGHTS:
            raise UsageError(f'--weights: {self.weights!r} given, expected one of {", ".join(WEIGHTS)}')
        if self.precision not in FLOATS:
            raise UsageError(f'--precision: {self.precision!r} given, expected one of {", ".join(FLOATS)}')
        first = WEIGHTS[self.weights]
        if SPEC_VERSIONS[self.target] < SPEC_VERSIONS[first]:
            raise UsageError(f'--weights {self.weights}: needs --target {first} or later, {self.target} given')
        if self.fp32_ops and self.precision == 'fp32':
            raise UsageError('--fp32-op: with --precision fp32 every layer is in float32; leave one of them out')

    @property
    def spec_version(self) -> int:
        """Core ML specification version that `target` reads."""
        return SPEC_VERSIONS[self.target]

    @property
    def floats(self) -> str:
        """The type a package computes in: 'float16' or 'float32'."""
        return FLOATS[self.precision]

    @property
    def stored(self) -> str:
        """How a package stores its weights: the type it computes in, or the compression."""
        return self.floats if self.weights == 'fp16' else self.weights


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


def ending_of(path: str | Path) -> str:
    """Which format a file is in: the ending of its name; a link may be called anything."""
    return Path(path).resolve().suffix


def require_output(out: str | Path, options: DetectorOptions) -> Path:
    """Refuse an output path whose ending is no format that can be written, or not with these options.

    Raises:
        UsageError: with the ending, or the option that another format has.
    """
    path = Path(out)
    if path.suffix not in (PACKAGE_ENDING, ONNX_ENDING):
        raise UsageError(
            f'--out {path}: ending {path.suffix!r} given, expected {PACKAGE_ENDING} (a Core ML package) or '
            f'{ONNX_ENDING}'
        )
    if path.suffix == PACKAGE_ENDING and options.nms:
        raise UsageError(f'--nms: for {ONNX_ENDING} alone, {path} given; a Core ML package always has its suppression')
    if path.suffix == ONNX_ENDING:
        default = DetectorOptions()
        for flag, name in PACKAGE_ONLY.items():
            if getattr(options, name) != getattr(default, name):
                raise UsageError(
                    f'{flag}: for {PACKAGE_ENDING} alone, {path} given; an ONNX file is written in float32'
                )
    return path

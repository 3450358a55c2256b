"""What can be chosen about a Core ML package, checked before anything is loaded."""

from dataclasses import dataclass

from mobileone_mm.artifact.card import EXPERIMENTAL
from mobileone_mm.errors import UsageError
from mobileone_mm.flags import typed

# Core ML specification version of each target (coremltools: mlmodel/format/Model.proto). ML programs begin with iOS 15.
SPEC_VERSIONS = {'iOS15': 6, 'iOS16': 7, 'iOS17': 8, 'iOS18': 9}
FLOATS = {'fp16': 'float16', 'fp32': 'float32'}  # what a program computes in
# How weights are stored, and the first system that unpacks them.
WEIGHTS = {'fp16': 'iOS15', 'int8': 'iOS16', 'palette8': 'iOS16', 'palette6': 'iOS16'}


@dataclass(frozen=True)
class CoreMLOptions:
    """Options of a Core ML package.

    Attributes:
        target: oldest system that shall run the package, a key of `SPEC_VERSIONS`.
        weights: how the package stores its weights, a key of `WEIGHTS`; 'fp16' is as it computes.
        precision: what it computes in, a key of `FLOATS`.
        fp32_ops: layers that compute in float32 in a float16 package, as shell patterns of their names
            ('neck.l2_norm', 'backbone.stage4.*'); all that is inside a layer goes with it.
        pad_classes: of a detector: fill the confidence columns with zeros up to the next multiple of 80, which Core
            ML's hand-over from an ML program to the suppression stage needs (docs/package.md).

    Raises:
        UsageError: a value is not known, or two do not go together.
    """

    target: str = typed('iOS16', '--target', f'oldest system to run on: {", ".join(SPEC_VERSIONS)}')
    weights: str = typed(
        'fp16',
        '--weights',
        f'how weights are stored, {", ".join(EXPERIMENTAL)} as an experiment: {", ".join(WEIGHTS)}',
    )
    precision: str = typed('fp16', '--precision', f'{" or ".join(FLOATS)}')
    fp32_ops: tuple[str, ...] = typed(
        (), '--fp32-op', 'a layer to keep in float32, by name or pattern', metavar='LAYER', action='append'
    )
    pad_classes: bool = typed(
        True,
        '--no-class-padding',
        'detector: as many confidence columns as classes, not the next multiple of 80 (see docs/package.md)',
        action='store_false',
    )

    def __post_init__(self) -> None:
        for option, known in (('target', SPEC_VERSIONS), ('weights', WEIGHTS), ('precision', FLOATS)):
            if getattr(self, option) not in known:
                raise UsageError(f'`{option}`: {getattr(self, option)!r} given, expected one of {", ".join(known)}')
        first = WEIGHTS[self.weights]
        if SPEC_VERSIONS[self.target] < SPEC_VERSIONS[first]:
            raise UsageError(f'`weights` {self.weights}: needs `target` {first} or later, {self.target} given')
        if self.fp32_ops and self.precision == 'fp32':
            raise UsageError('`fp32_ops`: with `precision` fp32 every layer is in float32; leave one of them out')

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

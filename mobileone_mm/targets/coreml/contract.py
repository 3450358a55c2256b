"""The rules that a saved package must satisfy, judged from the file alone: those of every package.

Apple's own validators run on macOS only; coremltools on Linux opens and saves anything. The rules follow coremltools'
validators and what Vision asks for (docs/package.md). Those of a task's package stand with its cell.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mobileone_mm.artifact.card import IMAGE, Card, parity_faults
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.convert import block
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.options import SPEC_VERSIONS
from mobileone_mm.targets.coreml.package import WEIGHT_FILE, SavedPackage
from mobileone_mm.tasks.by_name import read_card


@dataclass(frozen=True)
class Subject:
    """A package whose structure and own account of itself are known to be sound.

    Attributes:
        package: the package.
        card: what it says about itself.
        program: its ML program (`Model_pb2.Model`), in a pipeline or by itself.
    """

    package: SavedPackage
    card: Card
    program: Any

    @property
    def spec(self) -> Any:
        return self.package.spec


Rule = Callable[[Subject], Iterator[str]]


def check_contract(
    package: SavedPackage,
    structure: Callable[[Any], Iterator[str]],
    program: Callable[[Any], Any],
    rules: Sequence[Rule],
) -> Card:
    """Judge a saved package by every rule, and return what it says about itself.

    Args:
        package: the package.
        structure: faults in what stands where in its `Model_pb2.Model`, without which no other rule can be asked.
        program: its ML program, where there are none.
        rules: of its task, beside those of every package.

    Raises:
        ExportError: with all faults found, each with what was found and what was expected.
    """
    faults = list(structure(package.spec)) or list(_program(program(package.spec)))
    card = None
    try:
        card = read_card(package.metadata)
    except ExportError as error:
        faults.append(str(error))
    if card is not None and not faults:
        subject = Subject(package, card, program(package.spec))
        faults = [fault for rule in (*RULES, *rules) for fault in rule(subject)]
    if card is None or faults:
        raise ExportError(f'{package.path}: not a sound package: ' + '; '.join(faults))
    return card


def _program(program: Any) -> Iterator[str]:
    try:
        block(program)
    except ExportError as error:
        yield str(error)


def _versions(subject: Subject) -> Iterator[str]:
    target = subject.card.target
    if target not in SPEC_VERSIONS:
        yield f'target {target!r}, expected one of {", ".join(SPEC_VERSIONS)}'
        return
    newest = max((stage.specificationVersion for stage in subject.spec.pipeline.models), default=0)
    if not newest <= subject.spec.specificationVersion <= SPEC_VERSIONS[target]:
        yield (
            f'specification version {subject.spec.specificationVersion} with stages up to {newest}, '
            f'expected stages <= package <= {SPEC_VERSIONS[target]} ({target})'
        )


def _image(subject: Subject) -> Iterator[str]:
    for spec, where in ((subject.spec, 'package'), (subject.program, 'ML program')):
        inputs = features_of(spec.description.input)
        if inputs[IMAGE].type.WhichOneof('Type') != 'imageType':
            yield f'{where}: {IMAGE} is {inputs[IMAGE].type.WhichOneof("Type")}, expected a picture (imageType)'
            continue
        image = inputs[IMAGE].type.imageType
        if image.colorSpace != image.RGB:
            yield f'{where}: {IMAGE} has colour space {image.ColorSpace.Name(image.colorSpace)}, expected RGB'
        if image.WhichOneof('SizeFlexibility') is not None:
            yield f'{where}: {IMAGE} has a flexible size ({image.WhichOneof("SizeFlexibility")}), expected a fixed one'
        if inputs[IMAGE].type.isOptional:
            yield f'{where}: {IMAGE} is optional, expected a required input'
        if (image.width, image.height) != subject.card.input_size:
            yield f'{where}: {IMAGE} is {image.width}x{image.height}, the metadata say {by(subject.card.input_size)}'


def _weights(subject: Subject) -> Iterator[str]:
    weights = subject.package.weights
    if not weights.is_file():
        yield f'the weights are missing: no file {weights.relative_to(subject.package.path)}'
        return
    size = weights.stat().st_size
    for name, offset in _weight_offsets(subject.program):
        if offset >= size:
            yield f'constant {name} begins at byte {offset} of a weight file of {size} bytes'
            return


def _plain_program(subject: Subject) -> Iterator[str]:
    int64 = coremltools().proto.MIL_pb2.INT64
    for operation in block(subject.program).operations:
        for output in operation.outputs:
            tensor = output.type.tensorType
            if tensor.dataType == int64:
                yield f'operation {output.name} ({operation.type}) gives int64, which no device computes in'
            if any(size.WhichOneof('dimension') == 'unknown' for size in tensor.dimensions):
                yield f'operation {output.name} ({operation.type}) has a shape that is not fixed'


def _parity(subject: Subject) -> Iterator[str]:
    yield from parity_faults(subject.card)


RULES: tuple[Rule, ...] = (_versions, _image, _weights, _plain_program, _parity)


def _weight_offsets(program: Any) -> Iterator[tuple[str, int]]:
    for operation in block(program).operations:
        for value in operation.attributes.values():
            if value.WhichOneof('value') == 'blobFileValue' and value.blobFileValue.fileName == WEIGHT_FILE:
                yield operation.outputs[0].name, value.blobFileValue.offset


def features_of(features: Any) -> dict[str, Any]:
    """Descriptions of inputs or outputs, by name."""
    return {feature.name: feature for feature in features}


def shape_of(features: Any, name: str) -> tuple[int, ...]:
    """Shape of an array among inputs or outputs."""
    found = features_of(features).get(name)
    return tuple(found.type.multiArrayType.shape) if found is not None else ()


def by(sizes: Sequence[int]) -> str:
    """A shape as a message shows it."""
    return 'x'.join(str(size) for size in sizes) or 'nothing'

"""Runs a saved Core ML package with torch, on any system: its ML program operation by operation, then its suppression,
or the choice of a label.

Precision as in the program: a float16 tensor is computed in float32 from float16 inputs, as hardware accumulates, and
rounded to float16 once. What a device does otherwise (lower accumulation, fused operations) is not imitated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mobileone_mm.artifact.inputs import Array, as_planes
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.classify import CLASSIFY, Labels, read_labels
from mobileone_mm.targets.coreml.convert import block, is_constant
from mobileone_mm.targets.coreml.features import checked_inputs, require_readable
from mobileone_mm.targets.coreml.library import constants_of, coremltools
from mobileone_mm.targets.coreml.ops import OPERATIONS
from mobileone_mm.targets.coreml.package import SavedPackage
from mobileone_mm.targets.coreml.suppression_stage import STAGE, Suppression, read_suppression
from mobileone_mm.threads import one_thread

Precision = Literal['float16', 'float32']
HALF: Precision = 'float16'
SEVERAL = ('values',)  # arguments that are several tensors


@dataclass(frozen=True)
class Step:
    """One operation of a program.

    Attributes:
        operation: MIL's name of it.
        output: name of what it gives.
        arguments: name of what it takes, or several, by MIL's name of the argument.
        shape: of the output.
        half: whether the output is float16.
        spent: names that nobody needs any more.
    """

    operation: str
    output: str
    arguments: Mapping[str, str | Sequence[str]]
    shape: tuple[int, ...]
    half: bool
    spent: Sequence[str]

    def __str__(self) -> str:
        weight = self.arguments.get('weight')  # the converter calls it after the layer
        return f'operation {self.output} ({self.operation}{f" with {weight}" if weight else ""})'

    def compute(self, values: Mapping[str, Any]) -> Tensor:
        """The output, not rounded.

        Raises:
            ExportError: the arguments do not fit the operation, or the output is not as the program says.
        """
        given = {
            key: values[names] if isinstance(names, str) else [values[name] for name in names]
            for key, names in self.arguments.items()
        }
        try:
            output = OPERATIONS[self.operation](**given)
        except (ExportError, TypeError, ValueError, LookupError, RuntimeError) as error:
            # An argument that the operation does not know is a TypeError; what torch refuses may be any of the others.
            raise ExportError(f'{self}: {" ".join(str(error).split())}') from error
        if tuple(output.shape) != self.shape:
            raise ExportError(f'{self} gives shape {tuple(output.shape)}, the program says {self.shape}')
        return output


Watcher = Callable[[Step, Tensor], None]


@dataclass(frozen=True)
class Program:
    """An ML program, its constants converted once.

    Attributes:
        constants: by name; floats as float32 tensors, single values and whole numbers as Python's own.
        steps: in order.
        outputs: their names.
        inner: names of values that are given beside the outputs, by what to call them.
    """

    constants: Mapping[str, Any]
    steps: Sequence[Step]
    outputs: Sequence[str]
    inner: Mapping[str, str]

    def run(
        self, inputs: Mapping[str, Tensor], precision: Precision = HALF, watch: Watcher | None = None
    ) -> dict[str, Array]:
        """Compute all outputs and inner values.

        Precision 'float32' rounds nothing; constants are as stored. `watch` sees each step's output before it is
        rounded.
        """
        values = {**self.constants, **inputs}
        with torch.inference_mode(), one_thread():
            for step in self.steps:
                output = step.compute(values)
                if watch is not None:
                    watch(step, output)
                rounds = step.half and precision == HALF
                values[step.output] = output.half().float() if rounds else output
                for name in step.spent:
                    del values[name]
        wanted = {**self.inner, **{name: name for name in self.outputs}}
        return {name: values[value].numpy() for name, value in wanted.items()}


@dataclass(frozen=True)
class Interpreter:
    """An opened package: an ML program, and what makes detections or a label of what that computes, if there is one.

    Attributes:
        features: what the package takes (`FeatureDescription`s).
        pictures: names of outputs that are 8-bit pictures of one component.
        program: the ML program.
        suppression: the stage behind it.
        labels: what its last operation makes of probabilities.
    """

    features: Any
    pictures: Sequence[str]
    program: Program
    suppression: Suppression | None
    labels: Labels | None = None

    @property
    def inputs(self) -> list[str]:
        """Names of what the package takes."""
        return [feature.name for feature in self.features]

    def predict(self, inputs: Mapping[str, Any], precision: Precision = HALF) -> dict[str, Array]:
        """What the package gives: a picture is uint8 RGB (H, W, 3); thresholds may be left out.

        Raises:
            DataError: the inputs are not what the package takes.
        """
        raw = self.raw(inputs, precision)
        outputs = {name: raw[name] for name in self.program.outputs}
        if self.labels is not None:
            return self.labels(outputs)
        return outputs if self.suppression is None else self.suppression({**inputs, **outputs})

    def raw(
        self, inputs: Mapping[str, Any], precision: Precision = HALF, watch: Watcher | None = None
    ) -> dict[str, Array]:
        """What the ML program by itself gives, inner values included: see `predict` and `Program.run`.

        A picture is uint8 (H, W).
        """
        checked = checked_inputs(self.features, inputs)
        given = {name: _tensor(value) for name, value in checked.items()}
        outputs = self.program.run(given, precision, watch)
        return {name: _picture(value) if name in self.pictures else value for name, value in outputs.items()}


def open_interpreter(package: SavedPackage, inner: Callable[[Any], Mapping[str, str]] | None = None) -> Interpreter:
    """Make a saved package ready to run: an ML program, or a pipeline of one and a suppression stage.

    `inner` names what else than the outputs of the program (`MIL_pb2.Block`) is to be given.

    Raises:
        ExportError: it cannot be read, is something else, or has an operation or an input that is not known here.
    """
    spec = package.spec
    pipeline = spec.WhichOneof('Type') == 'pipeline'
    models = list(spec.pipeline.models) if pipeline else [spec]
    kinds = [model.WhichOneof('Type') for model in models]
    if kinds not in (['mlProgram'], ['mlProgram', STAGE]):
        raise ExportError(f'{package.path}: {kinds} given, expected an ML program, or one and a suppression stage')
    try:
        require_readable(spec.description.input)
        suppression = read_suppression(models[1]) if len(models) > 1 else None
        pictures = [one.name for one in spec.description.output if one.type.WhichOneof('Type') == 'imageType']
        labels = read_labels(block(models[0]))
        outputs = [labels.source] if labels else list(block(models[0]).outputs)
        program = _program(package, models[0], outputs, inner(block(models[0])) if inner else {})
        return Interpreter(spec.description.input, pictures, program, suppression, labels)
    except ExportError as error:
        raise ExportError(f'{package.path}: {error}') from error


def _program(package: SavedPackage, spec: Any, outputs: Sequence[str], inner: Mapping[str, str]) -> Program:
    main = block(spec)
    steps = [one for one in main.operations if not (is_constant(one.type) or one.type == CLASSIFY)]
    unknown = {step.type: step.outputs[0].name for step in steps if step.type not in OPERATIONS}
    if unknown:
        listed = ', '.join(f'{operation} (it gives {output})' for operation, output in unknown.items())
        raise ExportError(f'no such operation is known here: {listed}; known are {", ".join(sorted(OPERATIONS))}')
    half = coremltools().proto.MIL_pb2.FLOAT16
    types = {output.name: output.type.tensorType for step in steps for output in step.outputs}
    lasting = {*outputs, *inner.values()}
    last_use = {name: index for index, step in enumerate(steps) for name in _names(step)}
    return Program(
        constants={name: _plain(value) for name, value in constants_of(spec, package.weights.parent).items()},
        steps=[
            Step(
                operation=step.type,
                output=step.outputs[0].name,
                arguments=_arguments(step),
                shape=tuple(size.constant.size for size in types[step.outputs[0].name].dimensions),
                half=types[step.outputs[0].name].dataType == half,
                spent=[name for name in _names(step) if last_use[name] == index and name not in lasting],
            )
            for index, step in enumerate(steps)
        ],
        outputs=outputs,
        inner=inner,
    )


def _arguments(step: Any) -> dict[str, str | Sequence[str]]:
    arguments: dict[str, str | Sequence[str]] = {}
    for key, argument in step.inputs.items():
        names = [binding.name for binding in argument.arguments]
        arguments[key] = names if key in SEVERAL else names[0]
    return arguments


def _names(step: Any) -> set[str]:
    return {binding.name for argument in step.inputs.values() for binding in argument.arguments}


def _plain(value: Any) -> Any:
    """A constant as the operations want it."""
    if isinstance(value, str):
        return value
    value = np.asarray(value)
    if value.ndim == 0 or value.dtype.kind != 'f':
        return value.tolist()
    return torch.from_numpy(value.astype(np.float32))


def _picture(value: Array) -> Array:
    """A picture output (1, 1, H, W) as a caller gets it: uint8 (H, W)."""
    return value.reshape(value.shape[-2:]).round().clip(0, 255).astype(np.uint8)


def _tensor(value: Array) -> Tensor:
    """A picture as (1, 3, H, W), all in float32."""
    return torch.from_numpy(as_planes(value) if value.dtype == np.uint8 else np.ascontiguousarray(value, np.float32))

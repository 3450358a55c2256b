"""Layers of a graph by name, and two forms of a graph compared layer by layer.

However badly a model is conditioned, a single layer is not: from the same input, two right forms of it give the same
but for float32's last digits. So one form is run, what its layers give is kept, and the graph is made to follow it:
each of its layers is compared, and what comes next computes on with the other form's value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor, nn

from mobileone_mm.artifact.inputs import Array, Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT
from mobileone_mm.tasks.task import Graph, run_graph

MODEL = 'model.'  # the graph's name of the model, which the user's model does not have
KINDS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NO_NUMBERS = 'what it gives is beyond float32, or no number: look at the weights of the checkpoint'
OF_MAX = 'of max'  # a layer's error, as a fraction of the largest value that it gives
SMALLEST = 1e-30  # of a layer's largest value, below which float32 has few digits left

Values = Mapping[str, Tensor]  # what layers give, by name


def outwards(layer: str) -> Iterator[str]:
    """The layer and all that it is inside of: a.b.c, a.b, a."""
    while layer:
        yield layer
        layer = layer.rpartition('.')[0]


def is_named(layer: str, patterns: Sequence[str]) -> bool:
    """Whether shell patterns name a layer, or one that it is inside of."""
    return any(fnmatchcase(outer, pattern) for outer in outwards(layer) for pattern in patterns)


def name_of(module: str) -> str:
    """A module of a graph as it is called in the user's model."""
    return module.removeprefix(MODEL)


def folded(graph: Graph) -> Graph:
    """A copy in which the batch norms that fusing left are part of their convolutions, as converters make them."""
    from mmcv.cnn import fuse_conv_bn  # late: it brings much with it

    copy: Graph = fuse_conv_bn(deepcopy(graph))
    return copy


def followed_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that are compared, by name."""
    return {name_of(name): module for name, module in model.named_modules() if isinstance(module, KINDS)}


def in_float32(model: nn.Module, run: Callable[[], Outputs]) -> tuple[Outputs, Values]:
    """What a model in float64 gives when its layers pass on float32, and what they pass on.

    A layer that is called more than once is left out.
    """
    calls: dict[str, list[Tensor]] = {}

    def keep(name: str, output: Tensor) -> Tensor:
        calls.setdefault(name, []).append(output.float())
        return output.float().to(output.dtype)

    with _watched(model, followed_layers(model), keep):
        outputs = run()
    return outputs, {name: values[0] for name, values in calls.items() if len(values) == 1}


def layer_rung(name: str, graph: Graph, picture: Picture, outputs: Outputs, values: Values) -> Rung:
    """How far the layers and outputs of another form are from those of a graph that follows it.

    Each difference counts as a fraction of the largest value that the layer gives; the worst is named.
    """
    followed, errors = _follow(graph, picture, values)
    # Not whole numbers, such as classes: which of two equally good ones is chosen says nothing.
    errors |= {
        key: _error(value, _cropped(outputs[key], value.shape))
        for key, value in followed.items()
        if np.issubdtype(value.dtype, np.floating)
    }
    layer = max(errors, key=lambda key: np.nan_to_num(errors[key], nan=np.inf))
    note = f'{layer} is farthest' if errors[layer] else ''
    cure = '' if np.isfinite(errors[layer]) else NO_NUMBERS
    return Rung(name, errors[layer], FLOAT32_RELATIVE_LIMIT, OF_MAX, note, cure=cure)


def _follow(graph: Graph, picture: Picture, values: Values) -> tuple[Outputs, dict[str, float]]:
    errors: dict[str, float] = {}

    def follow(name: str, output: Tensor) -> Tensor:
        errors[name] = _error(output.numpy(), values[name].numpy())
        return values[name].clone()  # an activation may work in place

    layers = {name: layer for name, layer in followed_layers(graph).items() if name in values}
    with _watched(graph, layers, follow):
        return run_graph(graph, picture), errors


def _error(expected: Array, found: Array) -> float:
    if expected.shape != found.shape:
        return np.inf
    with np.errstate(invalid='ignore'):
        largest = np.abs(expected).max().astype(np.float64)
        error = float(np.abs(expected.astype(np.float64) - found).max() / max(largest, SMALLEST))
    return error


def _cropped(value: Array, shape: Sequence[int]) -> Array:
    """Without padding, which `compare` judges."""
    return value[tuple(slice(size) for size in shape)]


@contextmanager
def _watched(
    model: nn.Module, layers: Mapping[str, nn.Module], replace: Callable[[str, Tensor], Tensor]
) -> Iterator[None]:
    """Have each layer give what `replace` makes of its name and output."""
    with ExitStack() as stack, torch.no_grad():
        for name, layer in layers.items():
            hook = layer.register_forward_hook(lambda _layer, _given, output, name=name: replace(name, output))
            stack.callback(hook.remove)
        yield

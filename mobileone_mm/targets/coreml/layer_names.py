"""Which layer of the torch model an operation belongs to, and which layers a user's patterns name.

Layers are called as in the model's `named_modules()`: backbone.stage0.reparam_conv. What the export graph adds is
called as in the graph: normalise, runs.0.decode.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mobileone_mm.errors import UsageError
from mobileone_mm.tasks.layers import is_named, name_of

SUGGESTED = 3
CONST = 'const'


def layers_of(exported: Any) -> dict[str, str]:
    """Layer of each node of a `torch.export.ExportedProgram`, by the node's name; the graph's own nodes have none."""
    layers = {}
    for node in exported.graph.nodes:
        stack = list((node.meta.get('nn_module_stack') or {}).values())
        layer = name_of(stack[-1][0]) if stack else ''
        if node.op == 'call_function' and layer:
            layers[node.name] = layer
    return layers


def layers_of_operations(operations: Sequence[Any], nodes: Mapping[str, str]) -> dict[str, str]:
    """Layer of each operation of an ML program that computes something, by its output's name.

    The converter calls an operation after its node, with an ending for float16. One that it made itself (a cast) is
    given to the layer that reads it.
    """
    layers: dict[str, str] = {}
    read_by: dict[str, str] = {}
    for operation in reversed(operations):
        output = operation.outputs[0].name
        layer = nodes.get(output.removesuffix('_cast_fp16')) or read_by.get(output)
        if layer is None or operation.type == CONST:  # constants are numbered on through a whole process
            continue
        layers[output] = layer
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                read_by[binding.name] = layer
    return dict(sorted(layers.items()))


def named_by(patterns: Sequence[str], layers: Iterable[str]) -> set[str]:
    """The layers that shell patterns name, with all layers inside them.

    Raises:
        UsageError: a pattern names no layer; the nearest names are given.
    """
    known = sorted(set(layers))
    found = set()
    for pattern in patterns:
        of_pattern = {layer for layer in known if is_named(layer, [pattern])}
        if not of_pattern:
            near = difflib.get_close_matches(pattern, known, n=SUGGESTED, cutoff=0) or known[:SUGGESTED]
            raise UsageError(
                f'`fp32_ops` {pattern}: names none of the {len(known)} layers, expected such as {", ".join(near)}; '
                'all that is inside a layer goes with it'
            )
        found |= of_pattern
    return found

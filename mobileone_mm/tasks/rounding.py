"""How far rounding alone moves what a graph gives, and comparisons whose limits leave room for it."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.room import FLOAT16, FLOAT32, Noise, widened
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.tasks.layers import folded, is_named, name_of
from mobileone_mm.tasks.task import Graph, Pairs, Size, Task, run_graph
from mobileone_mm.threads import one_thread

MOST_RELIEF = 3  # parts of a model that are worth naming one by one


def compared(task: Task, name: str, pairs: Pairs, size: Size, step: str, noise: Noise) -> list[Rung]:
    """The task's checks of what was found against what was expected, with room for noise."""
    return widened(task.export.compare(name, pairs, size, step), step, noise, task.export.most(size))


def compared_by(card: Card, name: str, pairs: Pairs, step: str) -> list[Rung]:
    """The same, by what a card says."""
    return compared(task_named(card.task), name, pairs, card.input_size, step, card.noise)


def probe_compared(card: Card, outputs: Outputs, step: str) -> list[Rung]:
    """The task's checks of outputs for the drawn picture against what a card keeps of them, with room for noise."""
    task = task_named(card.task)
    return widened(task.export.compare_digest(card, outputs, step), step, card.noise, task.export.most(card.input_size))


def noise_of(
    task: Task, graph: Graph, pictures: Sequence[Picture], half: bool, fp32_ops: Sequence[str] = ()
) -> dict[str, dict[str, float]]:
    """How far rounding moves what a graph gives for these pictures, by type and unit; what is no number is left out.

    To float32, from float64. With `half` also to float16, from float32, all but the layers that `fp32_ops` name.
    """
    with one_thread():
        full = [run_graph(graph, picture) for picture in pictures]
        double = deepcopy(graph).double()
        exact = [run_graph(double, picture) for picture in pictures]
        noise = {FLOAT32: _distances(task, graph.size, exact, full, FLOAT32)}
        if half:
            rounded = Rounded(graph, fp32_ops)
            noise[FLOAT16] = _distances(task, graph.size, full, [rounded(picture) for picture in pictures], FLOAT16)
    return noise


def _distances(
    task: Task, size: Size, expected: Sequence[Outputs], found: Sequence[Outputs], step: str
) -> dict[str, float]:
    rungs = task.export.compare('rounding', list(zip(expected, found, strict=True)), size, step)
    return {rung.unit: rung.value for rung in rungs if rung.value is not None and rung.value < float('inf')}


def relief(
    task: Task, graph: Graph, pictures: Sequence[Picture], rungs: Sequence[Rung], fp32_ops: Sequence[str]
) -> str:
    """Which layers would bring float16 rungs within their limits, if they stayed in float32: as options, in words.

    Tried in torch: each part of the model alone, then those that tell most together.
    """
    full = [run_graph(graph, picture) for picture in pictures]

    def excess(kept: Sequence[str], of: Sequence[int]) -> float:
        rounded = Rounded(graph, kept)
        found = _distances(
            task, graph.size, [full[index] for index in of], [rounded(pictures[index]) for index in of], FLOAT16
        )
        return max(found.get(rung.unit, math.inf) / rung.limit for rung in rungs)

    with one_thread():
        worst = max(range(len(pictures)), key=lambda index: excess(fp32_ops, [index]))
        parts = sorted(_parts(graph), key=lambda part: excess([*fp32_ops, part], [worst]))
        for count in range(1, MOST_RELIEF + 1):
            kept = [*fp32_ops, *parts[:count]]
            if excess(kept, range(len(pictures))) <= 1:
                options = ' '.join(f"`fp32_ops` '{part}'" for part in kept)
                return (
                    f'{options}: with these in float32 it is within the limit; `precision` fp32 computes all in float32'
                )
    return f'float16 loses most in {parts[0]}, but not there alone: `precision` fp32 computes all in float32'


def _parts(graph: Graph) -> list[str]:
    """The parts of a model that are kept in float32 together: backbone.stage1, neck.extra_layers, runs.0, ..."""
    names = (name_of(name) for name, module in graph.named_modules() if not any(module.children()))
    return sorted({'.'.join(name.split('.')[:2]) for name in names})


class Rounded:
    """A graph as a float16 program computes it, in torch: constants and the output of every operation are rounded."""

    def __init__(self, graph: Graph, fp32_ops: Sequence[str] = ()) -> None:
        """Take a copy of `graph`; the layers that `fp32_ops` name stay in float32."""
        self.fp32_ops = fp32_ops
        self.graph = folded(graph)
        for name, tensor in (*self.graph.named_parameters(), *self.graph.named_buffers()):
            half = _half(tensor.detach())
            # A converter leaves in float32 what float16 cannot hold.
            if not self._kept(name.rpartition('.')[0]) and half.isfinite().all():
                tensor.data = half
        self.graph.round_numbers(lambda name: not self._kept(name.rpartition('.')[0]))

    def __call__(self, picture: Picture) -> Outputs:
        """What it gives for a picture of its size, in float32."""
        where: list[str] = []
        with _entered(self.graph, where), _RoundsAll(lambda: self._kept(where[-1] if where else '')):
            return run_graph(self.graph, picture)

    def _kept(self, module: str) -> bool:
        return is_named(name_of(module), self.fp32_ops)


class _RoundsAll(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not type it
    """Rounds the output of every operation to float16, unless it is told that it is kept."""

    def __init__(self, kept: Callable[[], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept = kept

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = operation(*args, **(kwargs or {}))
        if self.kept():
            return output
        if operation._schema.is_mutable and isinstance(output, Tensor):  # an activation in place
            return output.copy_(_half(output))
        if isinstance(output, tuple | list):
            return type(output)(map(_half, output))
        return _half(output)


def _half(value: Any) -> Any:
    return value.half().to(value.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


@contextmanager
def _entered(graph: nn.Module, where: list[str]) -> Iterator[None]:
    """Keep in `where` the modules that are being computed, the innermost last."""

    def leave(_module: nn.Module, _given: Any, _output: Any) -> None:
        where.pop()

    with ExitStack() as stack:
        for name, module in graph.named_modules():
            before = module.register_forward_pre_hook(lambda _module, _given, name=name: where.append(name))
            stack.callback(before.remove)
            stack.callback(module.register_forward_hook(leave).remove)
        yield

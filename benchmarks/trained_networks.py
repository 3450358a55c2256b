"""What train_step.py trains: MobileOne in its three implementations and mmpretrain's, whole and block by block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.backbones.variants import ARCHITECTURES

MMPRETRAIN, FUSED = 'mmpretrain', 'fused'


@dataclass(frozen=True)
class Task:
    """What is trained, and on what.

    Attributes:
        arch: 's0' to 's4'.
        k: branches of every block but the stem, or None for those of `arch`.
        batch: pictures in a step.
        side: of a picture, in px.
        device: 'cpu' or 'cuda'.
        amp: dtype of autocast, or None.
        channels_last: layout of weights and pictures.
        compiled: by torch.compile.
        threads: of the CPU.
    """

    arch: str
    k: int | None
    batch: int
    side: int
    device: str
    amp: str | None
    channels_last: bool
    compiled: bool
    threads: int

    def arch_dict(self) -> dict[str, Any]:
        """`arch` with `k`."""
        arch: dict[str, Any] = dict(ARCHITECTURES[self.arch])
        return arch if self.k is None else arch | {'num_conv_branches': [self.k] * 4}


def backbone(impl: str, task: Task) -> nn.Module:
    """The network that is trained: (N, 3, H, W) -> a tuple of one map."""
    if impl == MMPRETRAIN:
        from mmpretrain.models.backbones import MobileOne as Theirs

        theirs: nn.Module = Theirs(task.arch_dict())
        return theirs
    if impl == FUSED:
        return Trainable(MobileOne(task.arch_dict(), deploy=True))
    return MobileOne(task.arch_dict(), train_impl=impl)


class Trainable(nn.Module):
    """The fused form, which refuses training mode; without BN and dropout there is no difference."""

    def __init__(self, fused: nn.Module) -> None:
        super().__init__()
        self.weights = nn.ParameterList(fused.parameters())
        self.fused = (fused.eval(),)  # in a tuple, where train() does not reach it

    def forward(self, x: Tensor) -> Any:
        return self.fused[0](x)


def stepper(network: nn.Module, shape: Sequence[int], task: Task, inner: bool = False) -> Callable[[], None]:
    """A function that trains for a step, on one and the same random batch.

    Args:
        network: gives a tensor or a tuple of them.
        shape: of the batch.
        task: says on what device and how.
        inner: whether the batch needs a gradient, as inside of a network.
    """
    layout = torch.channels_last if task.channels_last else torch.contiguous_format
    network.train()  # which does not return the network in mmpretrain
    network = network.to(task.device, memory_format=layout)
    images = torch.randn(*shape, device=task.device).contiguous(memory_format=layout)
    images.requires_grad_(inner)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    run = torch.compile(network) if task.compiled else network
    amp = None if task.amp is None else getattr(torch, task.amp)

    def step() -> None:
        with torch.autocast(task.device, amp, enabled=amp is not None):
            outputs = run(images)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        torch.stack([output.float().mean() for output in outputs]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        images.grad = None
        if task.device == 'cuda':
            torch.cuda.synchronize()

    return step


def blocks(task: Task) -> list[tuple[str, tuple[int, ...], dict[str, Any]]]:
    """The first block of each shape: its name, the shape of its batch, and what it is built with."""
    found: dict[Any, tuple[str, tuple[int, ...], dict[str, Any]]] = {}
    network = MobileOne(task.arch_dict()).eval()

    def note(name: str, block: MobileOneBlock, x: Tensor) -> None:
        options = {
            'in_channels': block.in_channels,
            'out_channels': block.out_channels,
            'kernel_size': block.kernel_size,
            'stride': block.stride,
            'groups': block.groups,
            'num_conv_branches': len(block.rbr_conv),
            'use_skip': block.rbr_skip is not None,
        }
        shape = (task.batch, *x.shape[1:])
        found.setdefault((shape, *options.values()), (name, shape, options))

    for name, block in network.named_modules():
        if isinstance(block, MobileOneBlock):
            block.register_forward_pre_hook(lambda block, given, name=name: note(name, block, given[0]))
    with torch.no_grad():
        network(torch.zeros(1, 3, task.side, task.side))
    return list(found.values())

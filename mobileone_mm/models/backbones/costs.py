"""Where it pays to sum a block's branches before convolving."""

from torch import Tensor

from mobileone_mm.models.backbones.taps import Window


def moments_pay(x: Tensor, window: Window, out_channels: int, k: int) -> bool:
    """Whether a training step of a block is expected to be faster by `moments` than branch by branch."""
    return k > 1

"""Where it pays to sum a block's branches before convolving: counted, not measured.

A training step of a block, forward and backward, is taken to cost what it multiplies and what it moves through memory:
multiply-accumulates (MACs), and numbers read or written. The constants below set one against the other. They are round
and for one core of a CPU; `benchmarks/train_step.py --blocks` shows how far they hold elsewhere.

Letters: as in `moments`; M values of an output channel, N L.
"""

from torch import Tensor

from mobileone_mm.models.backbones.taps import Window

NUMBERS_PER_BRANCH = 9  # for each output: what BN and the sum of branches read and write
NUMBERS_PER_CONV = 3  # for each input
NUMBERS_PER_INPUT = 12  # for each input whose mean is taken off and whose products are summed
NUMBERS_PER_TAP = 4.5  # for each input and each of k^2 taps, above k = 1
MACS_PER_NUMBER = 56  # of a convolution, in the time of a number
MACS_PER_PRODUCT = 2.7  # of a convolution, in the time of a MAC of the many small products of matrices
NUMBERS_AT_ALL = 2e6  # in the time of what is done once, whatever the size of the maps; for depthwise, once for a tap
WORTH_IT = 0.9  # of the time of the branches, since none of this is exact


def moments_pay(x: Tensor, window: Window, out_channels: int, convs: int, others: int) -> bool:
    """Whether a training step is expected to take clearly less time by `moments` than branch by branch.

    Args:
        x: input of the block, (N, C, H, W).
        window: of its kernels.
        out_channels: O.
        convs: branches with a whole kernel, the paper's k.
        others: branches with less: scale and skip.
    """
    taps = x.shape[1] // window.groups * window.kernel_size**2
    values = x.shape[0] * window.pixels(x)
    outputs = values * out_channels
    conv = 3 * outputs * taps / MACS_PER_NUMBER + NUMBERS_PER_CONV * x.numel()
    branches = convs * conv + (convs + others) * NUMBERS_PER_BRANCH * outputs

    covariance = 2 * values * window.groups * taps**2
    quadratic_forms = 3 * (convs + others) * out_channels * taps**2
    products = (covariance + quadratic_forms) * MACS_PER_PRODUCT / MACS_PER_NUMBER
    if window.kernel_size == 1:
        moved = NUMBERS_AT_ALL + NUMBERS_PER_INPUT * x.numel()
    else:
        moved = (NUMBERS_AT_ALL / 2 + NUMBERS_PER_TAP * x.numel()) * window.kernel_size**2
    return conv + products + moved < WORTH_IT * branches

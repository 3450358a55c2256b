"""Which way of summing a block's branches takes the least time: counted, not measured.

A training step of a block, forward and backward, is taken to cost what it multiplies and what it moves through memory:
multiply-accumulates (MACs), and numbers read or written. The constants below set one against the other. They are round
and for one core of a CPU; `benchmarks/train_step.py --blocks` shows how far they hold elsewhere.

Letters: as in `moments`; M values of an output channel, N L.
"""

import torch
from torch import Tensor

from mobileone_mm.models.backbones.convolution import convolved_dtype
from mobileone_mm.models.backbones.taps import Window, is_by_lag, is_convolved

NUMBERS_PER_MAP = 9  # for each output of a convolution: what a norm and the sum of branches read and write
NUMBERS_PER_MEASURED = 6.5  # instead, where maps are normalised together
NUMBERS_PER_CONV = 3  # for each input
NUMBERS_PER_COPIED = 9  # instead, where copies of the input are too large to be kept from one convolution to the next
COPIED = 2**22  # numbers of such an input
NUMBERS_PER_INPUT = 10  # for each input whose mean is taken off and whose products are summed
NUMBERS_PER_LAGS = 20  # instead, for each input of a depthwise 3x3 kernel
NUMBERS_PER_TAP = 4.5  # instead, for each input and each of k^2 taps of another kernel above k = 1
MACS_PER_NUMBER = 56  # of a convolution, in the time of a number
MACS_PER_PRODUCT = 2.7  # of a convolution, in the time of a MAC of the many small products of matrices
NUMBERS_AT_ALL = 2e6  # in the time of what is done once, whatever the size of the maps
NUMBERS_FOR_LAGS = 8e6  # instead, for a depthwise 3x3 kernel
WORTH_IT = 0.9  # of the time of the branches, since none of this is exact


def fastest(x: Tensor, window: Window, out_channels: int, convs: int, others: int) -> str:
    """How a training step is expected to take the least time, and clearly less than branch by branch.

    Args:
        x: input of the block, (N, C, H, W).
        window: of its kernels.
        out_channels: O.
        convs: branches with a whole kernel, the paper's k.
        others: branches with less: scale and skip.

    Returns:
        'moments': all branches as one convolution; 'adding': norms together; 'branches': one after the other.
    """
    values = x.shape[0] * window.pixels(x)
    taps = x.shape[1] // window.groups * window.kernel_size**2
    outputs = values * out_channels
    is_depthwise = window.groups == x.shape[1] == out_channels
    macs = 3 * outputs * taps / MACS_PER_NUMBER
    conv = macs + NUMBERS_PER_CONV * x.numel()
    is_copied = is_depthwise and x.numel() > COPIED and x.device.type == 'cpu'
    costs = {
        'branches': convs * (macs + (NUMBERS_PER_COPIED if is_copied else NUMBERS_PER_CONV) * x.numel())
        + (convs + others) * NUMBERS_PER_MAP * outputs,
        'moments': conv + _moments(x, window, values, out_channels, convs + others),
    }
    is_measured = convs == 1 and is_depthwise != (window.kernel_size == 1)  # both: nothing is left to convolve
    if is_measured and x.device.type == 'cpu' and convolved_dtype(x) in (torch.float32, torch.float64):
        costs['adding'] = conv + (1 + min(others, 1)) * NUMBERS_PER_MEASURED * outputs + NUMBERS_AT_ALL
    found = min(costs, key=lambda way: costs[way])
    return found if costs[found] < WORTH_IT * costs['branches'] else 'branches'


def _moments(x: Tensor, window: Window, values: int, out_channels: int, branches: int) -> float:
    """In numbers."""
    taps = x.shape[1] // window.groups * window.kernel_size**2
    quadratic_forms = 2 * branches * out_channels * taps**2
    if is_by_lag(x, window):
        moved = NUMBERS_FOR_LAGS + NUMBERS_PER_LAGS * x.numel()
        return moved + quadratic_forms * MACS_PER_PRODUCT / MACS_PER_NUMBER
    covariance = 2 * values * window.groups * taps**2 / (MACS_PER_PRODUCT if is_convolved(x, window) else 1)
    products = (covariance + quadratic_forms) * MACS_PER_PRODUCT / MACS_PER_NUMBER
    if window.kernel_size == 1:
        return products + NUMBERS_AT_ALL + NUMBERS_PER_INPUT * x.numel()
    return products + (NUMBERS_AT_ALL / 2 + NUMBERS_PER_TAP * x.numel()) * window.kernel_size**2

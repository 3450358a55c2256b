"""Mean and covariance of what lies under a convolution's kernel: first and second moments of its input.

Letters: N batch, C channels, H and W height and width, L output pixels of a picture, G groups, I input channels per
group, k kernel size, T = I k^2 taps of a group: as in a kernel, by channel, row and column.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_weight

PART = 2**22  # numbers: pictures are taken together up to so many taps, 16 MB in float32
BAND = 512  # pixels: products that are added up one after the other, in float32


class Window(NamedTuple):
    """Where the taps of an output pixel lie."""

    kernel_size: int
    stride: int
    dilation: int
    groups: int

    @property
    def padding(self) -> int:
        """Zeros on each side of a picture."""
        return self.dilation * (self.kernel_size // 2)

    def arguments(self) -> tuple[int, int, int, int]:
        """As torch's convolutions take them, behind kernel and bias."""
        return self.stride, self.padding, self.dilation, self.groups

    def pixels(self, x: Tensor) -> int:
        """L, for pictures (N, C, H, W)."""
        return -(-x.shape[2] // self.stride) * -(-x.shape[3] // self.stride)


class Moments(torch.autograd.Function):
    """(N, C, H, W) -> mean m (G, T) and covariance S (G, T, T) of the taps, in float32, or float64 where the input is.

    Taps are taken of the input less the mean of each channel. That changes no covariance, and keeps the digits of one
    where a channel varies little about a large mean.

    Backward, with M = N L values: dS moves a tap vector by du = A (u - m) / M, A = dS + dS^T, and dm by dm / M. What
    falls on padding is dropped.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window) -> tuple[Tensor, Tensor]:
        """Sums over a few pictures at a time: all taps together are k^2 times the input."""
        centre = x.mean((0, 2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
        count = x.shape[0] * window.pixels(x)
        sums = [_sums(part, window) for part in _centred_parts(x, centre, window)]
        mean = torch.stack([first for first, _ in sums]).sum(0) / count
        second = torch.stack([second for _, second in sums]).sum(0) / count
        ctx.window = window
        ctx.save_for_backward(x, centre, mean)
        covariance = second - mean[:, :, None] * mean[:, None, :]
        return mean + centre.reshape(window.groups, -1).repeat_interleave(window.kernel_size**2, 1), covariance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_mean: Tensor, d_covariance: Tensor) -> tuple[Tensor, None]:
        """The gradient of the input, (N, C, H, W)."""
        x, centre, mean = ctx.saved_tensors
        window, count = ctx.window, x.shape[0] * ctx.window.pixels(x)
        matrix = (d_covariance + d_covariance.mT) / count
        offset = d_mean / count - (matrix @ mean[..., None]).squeeze(-1)
        parts = [_spread(part, matrix, offset, window) for part in _centred_parts(x, centre, window)]
        bottom, right = (window.padding + size for size in x.shape[2:])
        return torch.cat(parts)[..., window.padding : bottom, window.padding : right].to(x.dtype), None


def _centred_parts(x: Tensor, centre: Tensor, window: Window) -> Iterator[Tensor]:
    """A few pictures at a time, padded as the convolution pads `x`, less `centre` everywhere."""
    taps = x.shape[1] * window.kernel_size**2 * window.pixels(x)
    for part in torch.split(x, max(1, PART // taps)):
        yield functional.pad(part.to(centre.dtype), [window.padding] * 4) - centre.reshape(-1, 1, 1)


def _sums(z: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Sums of u (G, T) and u u^T (G, T, T) over all output pixels of padded pictures."""
    if _by_tap(z, window):
        return _sums_by_tap(z, window)
    taps = _taps(z, window)
    return taps.sum((0, 3)), (taps @ taps.mT).sum(0)


def _sums_by_tap(z: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """As `_sums`, where every channel is a group.

    The sum of u_s u_t, for all s at once, is the gradient of a depthwise kernel where that of the output is u_t. Bands
    of a few rows are convolved as channels of their own: oneDNN adds one product after the other, and over all pixels
    of the batch float32 would lose three digits of what BN, which adds up in float64, keeps.
    """
    k, views = window.kernel_size, _views(z, window)
    height, width = views[0].shape[2:]
    count = -(-height * width // BAND)
    rows = -(-height // count)
    missing = -height % rows  # of the last band; zeros add nothing
    padded = functional.pad(z, [0, 0, 0, missing * window.stride]) if missing else z
    reach = (rows - 1) * window.stride + (k - 1) * window.dilation + 1
    bands = padded.unfold(2, reach, rows * window.stride).mT.reshape(1, -1, reach, z.shape[3])
    kernels = torch.Size((bands.shape[1], 1, k, k))
    banded = window._replace(groups=bands.shape[1])
    sums = []
    for view in views:
        gradient = (functional.pad(view, [0, 0, 0, missing]) if missing else view).reshape(1, -1, rows, width)
        found = kernel_gradient(bands, kernels, gradient, banded, padding=0)
        sums.append(found.reshape(*z.shape[:2], -1, k * k).sum((0, 2)))
    return torch.stack([view.sum((0, 2, 3)) for view in views], 1), torch.stack(sums, 2)


def _spread(z: Tensor, matrix: Tensor, offset: Tensor, window: Window) -> Tensor:
    """Each output pixel's `matrix` u + `offset`, added up where its taps come from: of the shape of `z`."""
    k = window.kernel_size
    if _by_tap(z, window):
        spread = torch.zeros_like(z)
        for index, view in enumerate(_views(spread, window)):
            kernel = matrix[:, index].reshape(-1, 1, k, k)
            view += functional.conv2d(
                z, kernel, offset[:, index], window.stride, 0, window.dilation, groups=window.groups
            )
        return spread
    moved = matrix @ _taps(z, window) + offset[..., None]
    return functional.fold(moved.flatten(1, 2), z.shape[2:], k, window.dilation, 0, window.stride)


def _by_tap(z: Tensor, window: Window) -> bool:
    """Whether a depthwise kernel: k^2 convolutions on fast paths beat products of 9 x 9 matrices."""
    return window.kernel_size > 1 and window.groups == z.shape[1]


def _taps(z: Tensor, window: Window) -> Tensor:
    """(N, G, T, L)."""
    if window.kernel_size == 1:
        taps = z[..., :: window.stride, :: window.stride].flatten(2)
    else:
        taps = functional.unfold(z, window.kernel_size, window.dilation, 0, window.stride)
    return taps.reshape(len(z), window.groups, -1, taps.shape[-1])


def _views(z: Tensor, window: Window) -> list[Tensor]:
    """What each of the k^2 taps sees, (N, C, H / stride, W / stride), as views of padded pictures."""
    height, width = (size - 2 * window.padding for size in z.shape[2:])
    starts = range(0, window.kernel_size * window.dilation, window.dilation)
    step = window.stride
    return [z[..., row : row + height : step, column : column + width : step] for row in starts for column in starts]


def kernel_gradient(z: Tensor, shape: torch.Size, gradient: Tensor, window: Window, padding: int) -> Tensor:
    """The gradient of a kernel that convolves `z`, where the output has `gradient`; of the kernel's `shape`."""
    found: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
        z, shape, gradient, window.stride, padding, window.dilation, window.groups
    )
    return found

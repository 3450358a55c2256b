"""Mean and covariance of what lies under a convolution's kernel: first and second moments of its input.

Letters: N batch, C channels, H and W height and width, L output pixels of a picture, G groups, I input channels per
group, k kernel size, T = I k^2 taps of a group: as in a kernel, by channel, row and column.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from mobileone_mm.models.backbones import lags

PART = 2**22  # numbers: pictures are taken together up to so many taps, 16 MB in float32


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
    """(N, C, H, W) -> the same, mean m (G, T) and covariance S (G, T, T) of its taps.

    Both are float32, or float64 where the input is. Taps are taken of the input less the mean of each channel. That
    changes no covariance, and keeps the digits of one where a channel varies little about a large mean.

    Backward, with M = N L values: dS moves a tap vector by du = A (u - m) / M, A = dS + dS^T, and dm by dm / M. What
    falls on padding is dropped. The rest is added to the gradient of the output that is the input, in place: whoever
    takes moments has to use that output, in one place only, instead of the input. So no gradient is added up twice.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window) -> tuple[Tensor, Tensor, Tensor]:
        """The input, m and S."""
        centre = x.mean((0, 2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
        if is_by_lag(x, window):
            mean, covariance = lags.moments(x, centre, *lags.axes_of(x, window.stride, window.dilation))
        elif is_convolved(x, window):
            mean, covariance = _by_convolution(x, centre)
        else:
            mean, covariance = _moments(x, centre, window)
        ctx.window = window
        ctx.save_for_backward(x, mean)
        return x.view_as(x), mean, covariance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, d_mean: Tensor, d_covariance: Tensor) -> tuple[Tensor, None]:
        """The gradient of the input, (N, C, H, W)."""
        x, mean = ctx.saved_tensors
        window, count = ctx.window, x.shape[0] * ctx.window.pixels(x)
        matrix = (d_covariance + d_covariance.mT) / count
        offset = d_mean / count - (matrix @ mean[..., None]).squeeze(-1)
        if is_by_lag(x, window):
            lags.spread(gradient, x, matrix, offset, *lags.axes_of(x, window.stride, window.dilation))
        elif is_convolved(x, window):
            gradient += functional.conv2d(x.to(matrix.dtype), matrix[0][..., None, None], offset[0])
        else:
            _spread(gradient, x, matrix, offset, window)
        return gradient, None


def is_by_lag(x: Tensor, window: Window) -> bool:
    """Whether each channel has a kernel of its own and `lags` is meant for it."""
    return window.groups == x.shape[1] and lags.covers(window.kernel_size, window.stride, window.dilation)


def is_convolved(x: Tensor, window: Window) -> bool:
    """Whether taps are pixels and convolutions multiply them: on a CPU, where they beat products of matrices.

    Elsewhere they may round to fewer digits, as a GPU's do to TF32.
    """
    return window.kernel_size == window.stride == window.groups == 1 and x.device.type == 'cpu'


def _by_convolution(x: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance; the products of pixels are the gradient of a pointwise kernel."""
    z = x - centre[:, None, None]
    left = z.mean((0, 2, 3))
    products: Tensor = conv2d_weight(z, (len(centre), len(centre), 1, 1), z)  # type: ignore[no-untyped-call]
    covariance = products[..., 0, 0] * (len(centre) / z.numel()) - torch.outer(left, left)
    return (centre + left)[None], covariance[None]


def _moments(x: Tensor, centre: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Mean and covariance, from sums over a few pictures at a time: all taps together are k^2 times the input."""
    count = x.shape[0] * window.pixels(x)
    sums = []
    for part in _parts(x, window):
        taps = _centred_taps(part, centre, window)
        sums.append((taps.sum(2), taps @ taps.mT))
    mean, second = (torch.stack(found).sum(0) / count for found in zip(*sums, strict=True))
    covariance = second - mean[:, :, None] * mean[:, None, :]
    return mean + centre.reshape(window.groups, -1).repeat_interleave(window.kernel_size**2, 1), covariance


def _spread(gradient: Tensor, x: Tensor, matrix: Tensor, offset: Tensor, window: Window) -> None:
    """Add `matrix` u + `offset` of each output pixel to `gradient` where its taps come from."""
    for part, onto in zip(_parts(x, window), _parts(gradient, window), strict=True):
        moved = torch.matmul(matrix, _taps(part.to(matrix.dtype), window, window.padding)) + offset[..., None]
        if window.kernel_size == 1:
            pixels = onto[..., :: window.stride, :: window.stride]
            pixels += moved.reshape(pixels.shape)
        else:
            arguments = window.kernel_size, window.dilation, window.padding, window.stride
            onto += functional.fold(moved.flatten(1, 2), x.shape[2:], *arguments)


def _parts(x: Tensor, window: Window) -> tuple[Tensor, ...]:
    taps = x.shape[1] * window.kernel_size**2 * window.pixels(x)
    return torch.split(x, max(1, PART // taps))


def _centred_taps(x: Tensor, centre: Tensor, window: Window) -> Tensor:
    """(G, T, N L), less the centre, on padding as well."""
    if window.kernel_size == 1:
        pixels = x[..., :: window.stride, :: window.stride].transpose(0, 1)
        return (pixels - centre[:, None, None, None]).reshape(window.groups, -1, pixels[0].numel())
    z = functional.pad(x.to(centre.dtype), [window.padding] * 4) - centre[:, None, None]
    return _taps(z, window, 0).permute(1, 2, 0, 3).flatten(2)


def _taps(z: Tensor, window: Window, padding: int) -> Tensor:
    """(N, G, T, L)."""
    if window.kernel_size == 1:
        taps = z[..., :: window.stride, :: window.stride].flatten(2)
    else:
        taps = functional.unfold(z, window.kernel_size, window.dilation, padding, window.stride)
    return taps.reshape(len(z), window.groups, -1, taps.shape[-1])

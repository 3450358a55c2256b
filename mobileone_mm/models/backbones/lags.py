"""Moments of the nine taps of a depthwise 3x3 kernel, from products of the input with itself, shifted.

Taps that lie as far apart as two others meet the same pairs of pixels, but for those at the edge. So few of the 45 sums
of products differ, and the way back is a 5x5 convolution (with stride 2, four of a quarter of the pixels).

What the edge takes: padding is zero, and so are products with it. A pair of pixels is missing only where it lies inside
while its output pixel does not, which with three taps along an axis happens for tap s = tap t alone: the last tap of no
output pixel lies on the first row, nor the first tap of one on the last row. With F all rows and E those missing for a
tap, likewise for columns, sums are those over (F - E) x (F - E).

Letters: N batch, C channels, H and W height and width, P output pixels along an axis, s and t taps along an axis.
"""

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

TAPS = 3  # along an axis
PART = 2**20  # numbers of the input: pictures are taken together up to so many, which caches hold

SHORT = 512  # numbers of a line: torch adds up shorter ones one by one when it multiplies matrices, and loses digits


class Axis(NamedTuple):
    """Pixels along one axis. Tap s (0, 1, 2) of output pixel p lies on pixel `stride` p + `dilation` (s - 1)."""

    size: int
    stride: int
    dilation: int

    @property
    def outputs(self) -> int:
        """P."""
        return -(-self.size // self.stride)

    def phase(self, s: int) -> tuple[int, int]:
        """On which of every `stride` pixels the tap lies, and on which of these for p = 0."""
        offset, phase = divmod(self.dilation * (s - 1), self.stride)
        return phase, offset

    def missing(self, s: int) -> slice | None:
        """E: pixels on which the tap would lie if there were more output pixels."""
        phase, offset = self.phase(s)
        whole = range(phase, self.size, self.stride)
        found = [*whole[: max(offset, 0)], *whole[max(offset + self.outputs, 0) :]]
        return slice(found[0], found[-1] + 1, self.stride) if found else None


class Spread(NamedTuple):
    """How one convolution along an axis gives pixels what output pixels give their taps.

    Attributes:
        taps: of an output pixel, that are given something.
        sees: taps of the same output pixel that this is made of.
        size: of the kernel.
        padding: of the convolution, in pixels where dilation is 1.
        own: where in the kernel the pixel lies that is given something.
    """

    taps: tuple[int, ...]
    sees: tuple[int, ...]
    size: int
    padding: int
    own: int

    def placement(self) -> Tensor:
        """(3, 3, size): 1 where that falls which tap s is given for what tap t sees."""
        found = torch.zeros(TAPS, TAPS, self.size)
        for s, t in product(self.taps, self.sees):
            found[s, t, self.own + t - s] = 1
        return found


def _placement(row: Spread, column: Spread) -> Tensor:
    """(81, kernel): where in a kernel the entry of a matrix (9, 9) of taps falls."""
    return torch.einsum('sty,uvx->sutvyx', row.placement(), column.placement()).reshape(TAPS**4, -1)


def _given(row: Spread, column: Spread) -> Tensor:
    """(9,): 1 for each tap that is given something."""
    return torch.outer(row.placement().amax((1, 2)), column.placement().amax((1, 2))).flatten()


ALL = tuple(range(TAPS))
OVER_ALL = {1: (Spread(ALL, ALL, 5, 2, 2),), 2: (Spread((1,), ALL, 3, 1, 1), Spread((0, 2), ALL, 6, 2, 3))}  # by phase
OVER_MISSING = tuple(Spread((s,), (s,), 1, 0, 0) for s in ALL)
COMBINED = list(product((*OVER_ALL[1], *OVER_ALL[2], *OVER_MISSING), repeat=2))
PLACEMENTS = {pair: _placement(*pair) for pair in COMBINED}
GIVEN = {pair: _given(*pair) for pair in COMBINED}


def covers(kernel_size: int, stride: int, dilation: int) -> bool:
    """Whether what is here is meant for such kernels, if each has a channel of its own."""
    return kernel_size == TAPS and stride in OVER_ALL and (stride == 1 or dilation == 1)


def axes_of(x: Tensor, stride: int, dilation: int) -> tuple[Axis, Axis]:
    """Rows and columns of pictures (N, C, H, W)."""
    return Axis(x.shape[2], stride, dilation), Axis(x.shape[3], stride, dilation)


def together(x: Tensor) -> int:
    """How many pictures to take at a time: few on a CPU, so that what is made of them stays in its caches."""
    return max(1, PART // x[0].numel()) if x.device.type == 'cpu' else len(x)


def moments(x: Tensor, centre: Tensor, rows: Axis, columns: Axis) -> tuple[Tensor, Tensor]:
    """Mean (C, 9) and covariance (C, 9, 9) of the taps, in the dtype of `centre`.

    A tap is u = z + c v, with v = 1 inside and 0 on padding. Products are those of z, which keeps the digits of a small
    variance about a large mean; what v adds is exact.

    Args:
        x: pictures (N, C, H, W).
        centre: c, about the mean of each channel (C,).
        rows: of the pictures.
        columns: of the pictures.
    """
    channels, values = x.shape[1], len(x) * rows.outputs * columns.outputs
    row, column = (_inside(axis, centre) for axis in (rows, columns))
    summed = x.sum(0, dtype=centre.dtype) - len(x) * centre[:, None, None]
    by_column = (summed.reshape(-1, columns.size) @ column.mT).reshape(channels, rows.size, -1).mT
    mixed = _by_tap((by_column.reshape(-1, rows.size) @ row.mT).reshape(channels, 9, 9).mT) / values  # E[z_s v_t]
    edge = _by_tap(row.sum(1)[:, None] * column.sum(1))[0] * (len(x) / values)  # E[v_s v_t]
    mean, inside = mixed.diagonal(dim1=1, dim2=2), edge.diagonal()
    cross = centre[:, None, None] * (mixed - mean[:, :, None] * inside)
    covariance = _products(x, centre, rows, columns) / values - mean[:, :, None] * mean[:, None, :]
    covariance += cross + cross.mT + centre.square()[:, None, None] * (edge - inside[:, None] * inside)
    return mean + centre[:, None] * inside, covariance


def _inside(axis: Axis, like: Tensor) -> Tensor:
    """For each s and t, (9, size): 1 where tap s lies on a pixel and tap t of the same output pixel inside, else 0."""
    pixel = torch.arange(axis.size, device=like.device)
    tap = axis.dilation * torch.arange(-1, 2, device=like.device)
    start, other = pixel - tap[:, None], pixel + (tap - tap[:, None])[..., None]  # stride p (3, size); t (3, 3, size)
    has_output = (start % axis.stride == 0) & (start >= 0) & (start < axis.stride * axis.outputs)
    return (has_output[:, None] & (other >= 0) & (other < axis.size)).flatten(0, 1).to(like.dtype)


def _by_tap(pairs: Tensor) -> Tensor:
    """(C, 9, 9), from by pairs of rows and pairs of columns to by tap and tap."""
    return pairs.reshape(-1, TAPS, TAPS, TAPS, TAPS).transpose(2, 3).reshape(-1, TAPS**2, TAPS**2)


def _products(x: Tensor, centre: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """The sums of z_s z_t over all output pixels, (C, 9, 9)."""
    found = torch.stack([_over_all_columns(part, centre, rows, columns) for part in torch.split(x, together(x))]).sum(0)
    pairs = found.view(-1, TAPS, TAPS, TAPS, TAPS)
    missing = {s: columns.missing(s) for s in range(TAPS)}
    edges = {s: x[..., edge] for s, edge in missing.items() if edge is not None}
    if edges:
        every = torch.cat([*edges.values()], 1)  # as channels of one input; all taps on the same column
        lost = _over_all_columns(every, centre.repeat(len(edges)), rows, Axis(every.shape[3], 1, 0))
        of_edges = lost.reshape(-1, TAPS, TAPS, TAPS, TAPS).chunk(len(edges))
        for s, of_edge in zip(edges, of_edges, strict=True):
            pairs[:, :, s, :, s] -= of_edge[:, :, s, :, s]
    return found


def _over_all_columns(x: Tensor, centre: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """As `_products`, over F - E of the rows and F of the columns.

    First rows of all pictures, second rows and so on make one line, with so many zeros between them that columns are
    shifted by shifting the line. Its products with itself are products of two vectors.
    """
    row, column = ([axis.phase(s) for s in range(TAPS)] for axis in (rows, columns))
    width = columns.outputs + max(offset for _, offset in column) - min(offset for _, offset in column)
    lines = {}
    for down, right in product({phase for phase, _ in row}, {phase for phase, _ in column}):
        z = x[:, :, down :: rows.stride, right :: columns.stride].permute(1, 2, 0, 3)
        line = functional.pad(z - centre[:, None, None, None], [0, width - z.shape[3]])
        lines[down, right] = line.reshape(len(line), 1, -1)
    pitch = len(x) * width
    places: dict[object, int] = {}
    sums, index = [], []
    for pair in product(product(range(TAPS), repeat=2), repeat=2):
        (s, u), (t, v) = sorted(pair)
        first, second = lines[row[s][0], column[u][0]], lines[row[t][0], column[v][0]]
        top = max(0, -row[s][1], -row[t][1])  # the first output pixel for which both taps lie inside
        end = min(rows.outputs, first.shape[2] // pitch - row[s][1], second.shape[2] // pitch - row[t][1])
        here, there = (top + row[s][1]) * pitch, (top + row[t][1]) * pitch + column[v][1] - column[u][1]
        here, there = here - min(there, 0), max(there, 0)
        length = max(0, min((end - top) * pitch, first.shape[2] - here, second.shape[2] - there))
        if not length:
            here = there = 0
        key = (row[s][0], column[u][0], row[t][0], column[v][0], here, there, length)
        if key not in places:
            places[key] = len(places)
            sums.append(_dot(first.narrow(2, here, length), second.narrow(2, there, length)))
        index.append(places[key])
    return torch.cat(sums, 2)[:, 0, index].reshape(-1, TAPS**2, TAPS**2)


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """(C, 1, n) and (C, 1, n) -> (C, 1, 1)."""
    if first.shape[2] < SHORT:
        return (first * second).sum(2, keepdim=True)
    return torch.bmm(first, second.mT)


def spread(gradient: Tensor, x: Tensor, matrix: Tensor, offset: Tensor, rows: Axis, columns: Axis) -> None:
    """Add `matrix` u + `offset` of each output pixel to `gradient` where its taps come from.

    Args:
        gradient: of the pictures, (N, C, H, W).
        x: the pictures.
        matrix: (C, 9, 9).
        offset: (C, 9).
        rows: of the pictures.
        columns: of the pictures.
    """
    channels = x.shape[1]
    pieces = list(product(_pieces(rows), _pieces(columns)))
    sizes = [row.spread.size * column.spread.size for row, column in pieces]
    placements = torch.cat([PLACEMENTS[row.spread, column.spread] for row, column in pieces], 1).to(matrix)
    kernels = torch.split(matrix.flatten(1) @ placements, sizes, 1)
    biases = offset @ torch.stack([GIVEN[row.spread, column.spread] for row, column in pieces], 1).to(offset)
    for (row, column), kernel, bias in zip(pieces, kernels, biases.unbind(1), strict=True):
        given = gradient[:, :, row.given, column.given]
        if not given.numel():
            continue
        seen = x[:, :, row.seen, column.seen]
        kernel = kernel.reshape(channels, 1, row.spread.size, column.spread.size)
        stride, padding = (row.stride, column.stride), (row.padding, column.padding)
        parts = [torch.split(pixels, together(seen)) for pixels in (seen, given)]
        for part, onto in zip(*parts, strict=True):
            part = part.to(matrix.dtype)
            if kernel[0].numel() == 1:  # for which torch's convolution is slow
                found = kernel[:, 0] * part + bias[:, None, None]
            else:
                found = functional.conv2d(part, kernel, bias, stride, padding, rows.dilation, channels)
            onto.add_(found, alpha=row.sign * column.sign)


class _Piece(NamedTuple):
    """Some pixels of an axis: how they are given something, and with which sign."""

    spread: Spread
    seen: slice
    given: slice
    stride: int
    padding: int
    sign: int


def _pieces(axis: Axis) -> list[_Piece]:
    """F - E."""
    found = [
        _Piece(spread, slice(None), slice(phase, None, axis.stride), axis.stride, spread.padding * axis.dilation, 1)
        for phase, spread in enumerate(OVER_ALL[axis.stride])
    ]
    for s, spread in enumerate(OVER_MISSING):
        if (missing := axis.missing(s)) is not None:
            found.append(_Piece(spread, missing, missing, 1, 0, -1))
    return found

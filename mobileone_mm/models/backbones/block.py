"""MobileOneBlock: parallel linear branches in training, one convolution in inference.

Letters: N batch, C channels, H and W height and width of a feature map. Parameter names are those of
apple/ml-mobileone, so its checkpoints load as they are.

Source: paper section 3.2, figure 3; apple/ml-mobileone `mobileone.py`.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from mmcv.cnn import build_activation_layer, build_conv_layer, build_norm_layer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.errors import ConfigError, FuseError
from mobileone_mm.models.backbones import adding, fold, moments
from mobileone_mm.models.backbones.batch_statistics import Branch, is_shared, uses_batch
from mobileone_mm.models.backbones.costs import fastest
from mobileone_mm.models.backbones.squeeze_excite import SqueezeExcite
from mobileone_mm.models.backbones.taps import Window

Cfg = Mapping[str, Any]

TRAIN_IMPLS = ('branches', 'moments', 'auto')
SUMS = {'moments': moments.convolve, 'adding': adding.add_up}
TRAIN_REFUSED = (
    'a fused MobileOne has no branches and no BatchNorm left and cannot be trained: train the trained form '
    '(deploy=False) and fuse afterwards, or start from fused weights with '
    "deploy=False, init_cfg=dict(type='Pretrained', checkpoint=FUSED.pth), which expands them into branches"
)


class MobileOneBlock(nn.Module):
    """k conv-BN branches, a 1x1 conv-BN (scale) branch and a BN (skip) branch; their sum, squeeze-excite, activation.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)); the padding follows from kernel
    size and dilation. The fused form holds one convolution with bias, `reparam_conv`, instead of the branches.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd; the scale branch exists only above 1.
        stride: of every branch.
        dilation: of every branch and of the fused convolution.
        groups: in_channels for a depthwise block.
        num_conv_branches: k.
        use_scale: whether a block with kernel_size > 1 has its scale branch.
        use_skip: whether the block has a skip branch; needs stride 1 and in_channels == out_channels.
        se_cfg: arguments of SqueezeExcite, or None for a block without it.
        conv_cfg: mm config of the branch convolutions.
        norm_cfg: mm config of the branch norms, BN or SyncBN.
        act_cfg: mm config of the activation, or None.
        deploy: build the fused form.
        train_impl: how the trained form computes the sum of its branches: one after the other ('branches'), as one
            convolution (`moments`), or in whichever way takes the least time ('auto'; the third is `adding`).

    Raises:
        ConfigError: an even kernel_size, a skip branch where input and output differ in shape, or a `train_impl` that
            there is not, or not for these convolutions or norms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        num_conv_branches: int = 1,
        use_scale: bool = True,
        use_skip: bool = False,
        se_cfg: Cfg | None = None,
        conv_cfg: Cfg | None = None,
        norm_cfg: Cfg = {'type': 'BN'},  # noqa: B006 - never written to, and what mm configs print as the default
        act_cfg: Cfg | None = {'type': 'ReLU'},  # noqa: B006
        deploy: bool = False,
        train_impl: str = 'branches',
    ) -> None:
        super().__init__()
        if train_impl not in TRAIN_IMPLS:
            raise ConfigError(f'train_impl={train_impl!r} given, expected one of {", ".join(TRAIN_IMPLS)}')
        if kernel_size % 2 == 0:
            raise ConfigError(f'kernel_size={kernel_size} given, expected an odd number: branches share their centre')
        if use_skip and (stride != 1 or in_channels != out_channels):
            raise ConfigError(
                f'use_skip=True with stride={stride}, in_channels={in_channels} and out_channels={out_channels} given; '
                'expected stride 1 and as many channels out as in'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.groups = groups
        self.conv_cfg = conv_cfg
        self.train_impl = train_impl
        self.se = nn.Identity() if se_cfg is None else SqueezeExcite(out_channels, **se_cfg)
        self.activation = nn.Identity() if act_cfg is None else build_activation_layer(dict(act_cfg))
        if deploy:
            self.reparam_conv = self._conv(kernel_size, stride, bias=True)
            return
        self.rbr_conv = nn.ModuleList(
            self._conv_norm(self._conv(kernel_size, stride, bias=False), norm_cfg) for _ in range(num_conv_branches)
        )
        self.rbr_scale: nn.Sequential | None = None
        if use_scale and kernel_size > 1:
            # Stride 1: forward() hands this branch every stride-th pixel. As a 1x1 convolution with stride 2 on the
            # stem's 3 channels, torch (2.13 to 2.15, CPU, channels_last) corrupts the heap in its weight gradient.
            self.rbr_scale = self._conv_norm(self._conv(1, 1, bias=False), norm_cfg)
        self.rbr_skip: _BatchNorm | None = build_norm_layer(dict(norm_cfg), in_channels)[1] if use_skip else None
        if train_impl == 'moments' and not moments.can_fold(self._branch_modules()):
            raise ConfigError(
                f"train_impl='moments' with conv_cfg={conv_cfg!r} and norm_cfg={norm_cfg!r} given; expected Conv2d "
                "that pads with zeros, and BN or SyncBN: use train_impl='branches', or 'auto', which then does the same"
            )

    def _conv(self, kernel_size: int, stride: int, bias: bool) -> nn.Conv2d:
        """The one constructor of this block's convolutions: branches and fused form cannot drift apart."""
        conv: nn.Conv2d = build_conv_layer(
            self.conv_cfg,
            self.in_channels,
            self.out_channels,
            kernel_size,
            stride=stride,
            padding=self.dilation * (kernel_size // 2),
            dilation=self.dilation,
            groups=self.groups,
            bias=bias,
        )
        return conv

    def _conv_norm(self, conv: nn.Conv2d, norm_cfg: Cfg) -> nn.Sequential:
        norm = build_norm_layer(dict(norm_cfg), self.out_channels)[1]
        return nn.Sequential(OrderedDict(conv=conv, bn=norm))

    @property
    def is_fused(self) -> bool:
        """Whether the block holds `reparam_conv` instead of branches."""
        return hasattr(self, 'reparam_conv')

    def forward(self, x: Tensor) -> Tensor:
        way = 'fused' if self.is_fused else self._way(x)
        if way in SUMS:
            rectified = self._only_rectifies()
            out = SUMS[way](x, self._branches(), self._window(), rectified)
            if rectified:
                return out
        elif way == 'fused':
            out = self.reparam_conv(x)
        else:
            out = self._sum_of_branches(x)
        activated: Tensor = self.activation(self.se(out))
        return activated

    def _sum_of_branches(self, x: Tensor) -> Tensor:
        out: Tensor = self.rbr_conv[0](x)
        for branch in self.rbr_conv[1:]:
            out = out + branch(x)
        if self.rbr_scale is not None:
            out = out + self.rbr_scale(x[..., :: self.stride, :: self.stride])
        if self.rbr_skip is not None:
            out = out + self.rbr_skip(x)
        return out

    def _way(self, x: Tensor) -> str:
        """How the branches are summed up: their kernels, their outputs in one go, or their outputs one by one."""
        if self.train_impl == 'branches' or not moments.can_fold(self._branch_modules()):
            return 'branches'
        first: Any = self.rbr_conv[0]
        if not x.numel() or not (x.dtype == first.conv.weight.dtype or torch.is_autocast_enabled(x.device.type)):
            return 'branches'  # which knows what to do with nothing, and refuses what does not fit
        if self.train_impl == 'moments' or not uses_batch(first.bn):
            return 'moments'
        convs = len(self.rbr_conv)
        if is_shared(first.bn):  # all processes must go the same way, whatever the sizes of their pictures
            return 'moments' if convs > 1 or x.device.type == 'cpu' else 'branches'
        return fastest(x, self._window(), self.out_channels, convs, len(self._branch_modules()) - convs)

    def _only_rectifies(self) -> bool:
        """Whether nothing but a ReLU follows the sum, and no hook waits for what lies between."""
        follow = (self.se, self.activation)
        return tuple(map(type, follow)) == (nn.Identity, nn.ReLU) and not any(map(moments.is_hooked, follow))

    def _branch_modules(self) -> list[nn.Module]:
        return [*self.rbr_conv, *(branch for branch in (self.rbr_scale, self.rbr_skip) if branch is not None)]

    def _branches(self) -> list[Branch]:
        linear: list[Any] = [*self.rbr_conv, *([] if self.rbr_scale is None else [self.rbr_scale])]
        branches = [Branch(branch.conv.weight, branch.bn) for branch in linear]
        return branches if self.rbr_skip is None else [*branches, Branch(None, self.rbr_skip)]

    def _window(self) -> Window:
        return Window(self.kernel_size, self.stride, self.dilation, self.groups)

    @torch.no_grad()
    def fused_kernel(self) -> fold.Affine:
        """Kernel (out_channels, in_channels / groups, k, k) and bias (out_channels,) of the fused form, float64.

        Raises:
            FuseError: a branch is no plain convolution, or its norm keeps no statistics.
        """
        if self.is_fused:
            assert self.reparam_conv.bias is not None
            return fold.Affine(self.reparam_conv.weight.double(), self.reparam_conv.bias.double())
        branches = [self._folded(branch) for branch in self.rbr_conv]
        if self.rbr_scale is not None:
            kernel, bias = self._folded(self.rbr_scale)
            branches.append(fold.Affine(fold.pad_pointwise(kernel, self.kernel_size), bias))
        if self.rbr_skip is not None:
            kernel = fold.identity_kernel(self.in_channels, self.groups, self.rbr_skip)
            kernel, bias = fold.fold_norm(kernel, None, self.rbr_skip)
            branches.append(fold.Affine(fold.pad_pointwise(kernel, self.kernel_size), bias))
        return fold.add(branches)

    @staticmethod
    def _folded(branch: nn.Module) -> fold.Affine:
        conv, norm = branch.conv, branch.bn
        if type(conv) is not nn.Conv2d or not isinstance(norm, _BatchNorm):
            raise FuseError(f'a branch of {conv} and {norm} cannot be fused; expected Conv2d and BN or SyncBN')
        return fold.fold_norm(conv.weight, conv.bias, norm)

    @torch.no_grad()
    def switch_to_deploy(self) -> None:
        """Replace the branches by the fused convolution, in place; a fused block is left as it is."""
        if self.is_fused:
            return
        kernel, bias = self.fused_kernel()
        weight = self.rbr_conv[0].get_parameter('conv.weight')
        conv = self._conv(self.kernel_size, self.stride, bias=True).to(weight.device, weight.dtype)
        assert conv.bias is not None
        conv.weight.copy_(kernel)
        conv.bias.copy_(bias)
        del self.rbr_conv, self.rbr_scale, self.rbr_skip
        self.reparam_conv = conv.train(self.training)

    def train(self, mode: bool = True) -> 'MobileOneBlock':
        """Set the training flag.

        Raises:
            FuseError: `mode` is True and the block is fused.
        """
        if mode and self.is_fused:
            raise FuseError(TRAIN_REFUSED)
        return super().train(mode)

"""MobileOne: Apple's re-parameterisable backbone, S0 to S4.

The numbers follow the released code (apple/ml-mobileone), which differs from the paper's table 7 in the stem: one dense
3x3 block with k = 1 and at most 64 channels.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mobileone_mm.errors import ConfigError, FuseError
from mobileone_mm.models.backbones.base import BlockBackbone
from mobileone_mm.models.backbones.block import TRAIN_REFUSED, Cfg, MobileOneBlock
from mobileone_mm.models.backbones.variants import ARCHITECTURES, BASE_CHANNELS, STEM_MAX_CHANNELS
from mobileone_mm.models.init_files import init_weights_and_read
from mobileone_mm.registry import MODELS

STAGE_KEYS = ('num_blocks', 'width_factor', 'num_conv_branches', 'num_se_blocks')
BRANCH_SWITCHES = ('use_scale', 'use_skip')
NORMS = ('BN', 'BN2d', 'SyncBN', nn.BatchNorm2d, nn.SyncBatchNorm)  # what can be fused, by name or as a class
# By output stride, for stages 1-4: (stride, (dilation of the first depthwise block, of the others)). The first block
# reads the previous stage's grid with that stage's dilation, so weights and outputs stay those of stride 32.
GEOMETRY = {
    32: ((2, (1, 1)), (2, (1, 1)), (2, (1, 1)), (2, (1, 1))),
    16: ((2, (1, 1)), (2, (1, 1)), (2, (1, 1)), (1, (1, 2))),
    8: ((2, (1, 1)), (2, (1, 1)), (1, (1, 2)), (1, (2, 4))),
}


@MODELS.register_module()
class MobileOne(BlockBackbone):
    """MobileOne backbone: image batch (N, in_channels, H, W) -> tuple of feature maps.

    `out_indices` 0-3 are the stages at strides 4, 8, 16 and 32. Every argument of mmpretrain's MobileOne means the same
    here, but for a few values that are refused and a few details, of which one changes shapes: squeezed widths are not
    rounded to multiples of 8. docs/backbone.md lists them all.

    Args:
        arch: 's0' to 's4', or a dict of four-item lists: num_blocks, width_factor (of 64, 128, 256, 512 channels),
            num_conv_branches (k; the stem has 1) and num_se_blocks (how many blocks at the end of the stage squeeze and
            excite); optionally use_scale=False and use_skip=False, which leave those branches out everywhere.
        in_channels: channels of the image.
        out_indices: stages to return; negative ones count from the end.
        frozen_stages: -1 trains everything, 0 freezes the stem, n also stages 1 to n: no gradients, and the statistics
            of all their branches stand still.
        conv_cfg: mm config of the convolutions.
        norm_cfg: mm config of the norms, BN or SyncBN (by no other norm can a convolution be fused).
        act_cfg: mm config of the activations.
        se_cfg: `ratio` of the squeeze-excite blocks (`SqueezeExcite`); None leaves them out.
        deploy: build the fused form, which can only infer.
        norm_eval: keep every branch's BN statistics still in training mode.
        init_cfg: mm initialisation; `dict(type='Pretrained', checkpoint=...)` takes Apple's, mmpretrain's, timm's,
            corenet's or our files, trained or fused (docs/checkpoint.md).
        with_cp: recompute each block's activations in the backward pass to save memory.
        output_stride: 32; 16 or 8 keep the last one or two stages at stride 16 or 8 and dilate them instead. Weights
            for 32 fit: where both have a pixel, they compute the same (squeeze-excite apart, which averages the map).
        train_impl: how blocks sum their branches before they are fused: 'branches', one after the other; 'moments', as
            one convolution, with the same results at a cost that hardly depends on k; 'auto', block by block whichever
            is expected to be faster. With the last two, evaluation costs as little as in the fused form.

    Raises:
        ConfigError: an argument that does not fit; the message names it.
    """

    def __init__(
        self,
        arch: str | Mapping[str, Any] = 's0',
        in_channels: int = 3,
        out_indices: int | Sequence[int] = (3,),
        frozen_stages: int = -1,
        conv_cfg: Cfg | None = None,
        norm_cfg: Cfg = {'type': 'BN'},  # noqa: B006 - never written to, and what mm configs print as the default
        act_cfg: Cfg = {'type': 'ReLU'},  # noqa: B006
        se_cfg: Cfg | None = {'ratio': 16},  # noqa: B006
        deploy: bool = False,
        norm_eval: bool = False,
        init_cfg: Any = None,
        *,
        with_cp: bool = False,
        output_stride: int = 32,
        train_impl: str = 'branches',
    ) -> None:
        super().__init__(init_cfg or [_init('Kaiming', 'Conv2d'), _init('Constant', '_BatchNorm', val=1)])
        self.arch = _checked_arch(arch)
        _check_layers(in_channels, norm_cfg, se_cfg, deploy)
        self.out_indices = _checked_out_indices(out_indices)
        if output_stride not in tuple(GEOMETRY):
            raise ConfigError(f'output_stride={output_stride!r} given, expected 8, 16 or 32')
        if frozen_stages not in range(-1, 5):
            raise ConfigError(f'frozen_stages={frozen_stages!r} given, expected -1 (none), 0 (stem) to 4 (all)')
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.deploy = deploy

        block = partial(
            MobileOneBlock,
            use_scale=self.arch['use_scale'],
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            deploy=deploy,
            train_impl=train_impl,
        )
        channels = min(STEM_MAX_CHANNELS, int(BASE_CHANNELS[0] * self.arch['width_factor'][0]))
        self.stage0 = block(in_channels, channels, 3, stride=2)
        for index, (stride, dilations) in enumerate(GEOMETRY[output_stride]):
            blocks = _stage_blocks(block, self.arch, index, channels, stride, dilations, se_cfg)
            self.add_module(f'stage{index + 1}', nn.Sequential(*blocks))
            channels = blocks[-1].out_channels
        self._freeze_stages()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps (N, C, H / stride, W / stride) of the stages in `out_indices`, in the order of the stages."""
        x = self._run(self.stage0, x)
        outputs = []
        for index in range(4):
            for block in getattr(self, f'stage{index + 1}'):
                x = self._run(block, x)
            if index in self.out_indices:
                outputs.append(x)
        return tuple(outputs)

    def _run(self, block: MobileOneBlock, x: Tensor) -> Tensor:
        if not (self.with_cp and x.requires_grad):
            return block(x)  # type: ignore[no-any-return]
        recomputed: Tensor = checkpoint(block, x, use_reentrant=False, context_fn=lambda: _recompute_contexts(block))
        return recomputed

    def _freeze_stages(self) -> None:
        for index in range(self.frozen_stages + 1):
            stage = getattr(self, f'stage{index}')
            stage.eval()
            stage.requires_grad_(False)

    def train(self, mode: bool = True) -> 'MobileOne':
        """Set the training flag; frozen stages, and with `norm_eval` all norms, stay in eval mode.

        Raises:
            FuseError: `mode` is True and the backbone is fused.
        """
        if mode and self.deploy:
            raise FuseError(TRAIN_REFUSED)
        super().train(mode)
        if mode:
            self._freeze_stages()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def init_weights(self) -> None:
        """Initialise; a `Pretrained` init_cfg is read by this package, since mmengine ignores keys that do not fit.

        Raises:
            CheckpointError: the file does not belong to this backbone.
        """
        if not self.is_init:
            init_weights_and_read(self, super().init_weights, 'Pretrained')

    def switch_to_deploy(self) -> None:
        """Fuse every block in place (the name that mm hosts call); what is fused stays so."""
        for module in self.modules():
            if isinstance(module, MobileOneBlock):
                module.switch_to_deploy()
        self.deploy = True


def _stage_blocks(
    block: Callable[..., MobileOneBlock],
    arch: Mapping[str, Any],
    stage: int,
    channels: int,
    stride: int,
    dilations: tuple[int, int],
    se_cfg: Cfg | None,
) -> list[MobileOneBlock]:
    """Depthwise and pointwise blocks of one stage that receives `channels`."""
    width = int(BASE_CHANNELS[stage] * arch['width_factor'][stage])
    num_blocks = arch['num_blocks'][stage]
    blocks = []
    for index in range(num_blocks):
        squeezed = index >= num_blocks - arch['num_se_blocks'][stage]
        common = {'num_conv_branches': arch['num_conv_branches'][stage], 'se_cfg': se_cfg if squeezed else None}
        # No skip in the first depthwise block even where output_stride turns its stride into 1: weights for stride 32
        # have none.
        depthwise = {'groups': channels, 'stride': stride, 'dilation': dilations[0]}
        if index > 0:
            depthwise |= {'stride': 1, 'dilation': dilations[1], 'use_skip': arch['use_skip']}
        blocks.append(block(channels, channels, 3, **depthwise, **common))
        blocks.append(block(channels, width, 1, use_skip=arch['use_skip'] and channels == width, **common))
        channels = width
    return blocks


def _init(kind: str, layer: str, **kwargs: Any) -> dict[str, Any]:
    return {'type': kind, 'layer': [layer], **kwargs}


def _checked_arch(arch: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(arch, str):
        if arch not in ARCHITECTURES:
            raise ConfigError(f'arch={arch!r} given, expected one of {", ".join(ARCHITECTURES)} or a dict')
        arch = ARCHITECTURES[arch]
    if not isinstance(arch, Mapping):
        raise ConfigError(f'arch={arch!r} given, expected a string or a dict')
    unknown = set(arch) - {*STAGE_KEYS, *BRANCH_SWITCHES}
    missing = set(STAGE_KEYS) - set(arch)
    if unknown or missing:
        raise ConfigError(
            f'arch dict with unknown keys {sorted(unknown)} and missing keys {sorted(missing)}; '
            f'expected {", ".join(STAGE_KEYS)} and optionally {", ".join(BRANCH_SWITCHES)}'
        )
    _check_stages(arch)
    return {'use_scale': True, 'use_skip': True, **copy.deepcopy(dict(arch))}


def _check_stages(arch: Mapping[str, Any]) -> None:
    for key in STAGE_KEYS:
        kinds = (int, float) if key == 'width_factor' else (int,)
        given = arch[key]
        if not isinstance(given, list | tuple) or len(given) != 4 or any(type(value) not in kinds for value in given):
            words = ' or '.join(kind.__name__ for kind in kinds)
            raise ConfigError(f'arch[{key!r}]={given!r} given, expected a list of four ({words}), one for each stage')
    for key in BRANCH_SWITCHES:
        if type(arch.get(key, True)) is not bool:
            raise ConfigError(f'arch[{key!r}]={arch[key]!r} given, expected True or False, for all stages')
    if not all(1 <= base * factor < math.inf for base, factor in zip(BASE_CHANNELS, arch['width_factor'], strict=True)):
        raise ConfigError(
            f"arch['width_factor']={arch['width_factor']!r} given, expected factors of {BASE_CHANNELS} that leave each "
            'stage a channel'
        )
    for blocks, k, squeezed in zip(arch['num_blocks'], arch['num_conv_branches'], arch['num_se_blocks'], strict=True):
        if blocks < 1 or k < 1 or not 0 <= squeezed <= blocks:
            raise ConfigError(
                f'a stage of num_blocks={blocks}, num_conv_branches={k}, num_se_blocks={squeezed} given; expected at '
                'least one block, one branch, and no more squeeze-excite blocks than blocks'
            )


def _checked_out_indices(out_indices: int | Sequence[int]) -> tuple[int, ...]:
    indices = tuple(out_indices) if isinstance(out_indices, Iterable) else (out_indices,)
    if not indices or any(index not in range(-4, 4) for index in indices):
        raise ConfigError(f'out_indices={out_indices!r} given, expected stages among 0, 1, 2, 3 or -4 to -1')
    return tuple(index % 4 for index in indices)


def _check_layers(in_channels: Any, norm_cfg: Any, se_cfg: Any, deploy: bool) -> None:
    if type(in_channels) is not int or in_channels < 1:
        raise ConfigError(f'in_channels={in_channels!r} given, expected a whole number from 1')
    norm = norm_cfg.get('type') if isinstance(norm_cfg, Mapping) else None
    if not deploy and norm not in NORMS:  # the fused form has no norm
        raise ConfigError(f"norm_cfg={norm_cfg!r} given, expected dict(type='BN'), 'BN2d' or 'SyncBN'")
    if not (se_cfg is None or isinstance(se_cfg, Mapping)):
        raise ConfigError(f'se_cfg={se_cfg!r} given, expected dict(ratio=16), or None for no squeeze-excite')


def _recompute_contexts(
    block: MobileOneBlock,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """For the first pass and the recomputation: the second must not update running statistics a second time."""
    return nullcontext(), _frozen_statistics(block)


@contextmanager
def _frozen_statistics(block: MobileOneBlock) -> Iterator[None]:
    # Not by track_running_stats=False: the recomputation has to save as many tensors as the first pass.
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    kept = [(norm, norm.momentum, copy.deepcopy(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, batches in kept:
            norm.momentum = momentum
            norm.num_batches_tracked = batches

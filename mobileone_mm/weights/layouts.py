"""What MobileOne's entries are called by Apple (and by us), mmpretrain, timm and CoreNet: one table, name by name.

Source: the official repositories' own models, compared entry by entry. timm has two layouts: its `features_only` models
hold the stages without the `nn.Sequential` around them, and no classifier.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

HOST_PREFIX = 'backbone.'  # what mm hosts call the backbone inside a model
# A unit's parts in our names; '#' is the number of a conv branch.
PARTS = (
    'rbr_conv.#.conv',
    'rbr_conv.#.bn',
    'rbr_scale.conv',
    'rbr_scale.bn',
    'rbr_skip',
    'reparam_conv',
    'se.reduce',
    'se.expand',
    'activation',  # has weights where it is a PReLU
)
FUSED_PART = 'reparam_conv'
TIMM_PARTS = (
    'conv_kxk.#.conv',
    'conv_kxk.#.bn',
    'conv_scale.conv',
    'conv_scale.bn',
    'identity',
    FUSED_PART,
    'attn.fc1',
    'attn.fc2',
    'act',
)
LEAVES = '(weight|bias|running_mean|running_var|num_batches_tracked)'


@dataclass(frozen=True)
class Layout:
    """One naming scheme.

    Attributes:
        name: its key in `LAYOUTS`.
        title: what messages call it.
        stem: name of the stem unit.
        stage: format of a stage's name.
        first_stage: the number by which stage 1 goes.
        parts: this layout's names for `PARTS`, in that order.
        classifier: path of the linear classifier, None where there is none.
        prefix: what precedes stem and stages in a whole file.
    """

    name: str
    title: str
    stem: str
    stage: str
    first_stage: int
    parts: tuple[str, ...]
    classifier: str | None
    prefix: str = ''


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout('apple', 'Apple', 'stage0', 'stage{}', 1, PARTS, 'linear'),
        Layout(
            'mmpretrain',
            'mmpretrain',
            'stage0',
            'stage{}',
            1,
            (
                'branch_conv_list.#.conv',
                'branch_conv_list.#.norm',
                'branch_scale.conv',
                'branch_scale.norm',
                'branch_norm',
                'branch_reparam',
                'se.conv1.conv',
                'se.conv2.conv',
                'act',
            ),
            'head.fc',
            HOST_PREFIX,
        ),
        Layout('timm', 'timm', 'stem', 'stages.{}', 0, TIMM_PARTS, 'head.fc'),
        Layout('timm_features', 'timm features_only', 'stem', 'stages_{}', 0, TIMM_PARTS, None),
        Layout(
            'corenet',
            'CoreNet',
            'conv_1',
            'layer_{}',
            2,
            (
                'rbr_conv.#.block.conv',
                'rbr_conv.#.block.norm',
                'rbr_scale.block.conv',
                'rbr_scale.block.norm',
                'rbr_skip',
                FUSED_PART,
                'se.se_layer.fc1.block.conv',
                'se.se_layer.fc2.block.conv',
                'activation',
            ),
            'classifier.classifier_fc',
        ),
    )
}
APPLE = LAYOUTS['apple']


def rename(key: str, source: Layout, target: Layout) -> str | None:
    """The name in `target` of the backbone entry `key` of `source`, both without prefix; None for any other key."""
    match = _pattern(source).fullmatch(key)
    if match is None:
        return None
    unit = target.stem
    if match['stem'] is None:
        stage = int(match['stage']) - source.first_stage + target.first_stage
        unit = f'{target.stage.format(stage)}.{match["unit"]}'
    index = next(i for i in range(len(PARTS)) if match[f'p{i}'] is not None)
    return f'{unit}.{_renumbered(target.parts[index], match[f"p{index}"])}.{match["leaf"]}'


def _renumbered(part: str, numbered: str) -> str:
    number = re.search(r'\.(\d+)\.', numbered)
    return part if number is None else part.replace('#', number[1])


@lru_cache
def _pattern(layout: Layout) -> re.Pattern[str]:
    stage = re.escape(layout.stage).replace(r'\{\}', r'(?P<stage>\d)')
    parts = '|'.join(f'(?P<p{i}>{re.escape(p)})' for i, p in enumerate(layout.parts))
    parts = parts.replace(r'\#', r'\d+')
    return re.compile(rf'(?:(?P<stem>{layout.stem})|{stage}\.(?P<unit>\d+))\.(?:{parts})\.(?P<leaf>{LEAVES})')

"""mmseg's own class weights are refused with the cure; what works is let through."""

from typing import Any

import pytest
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.class_weight import require_usable_class_weights

WEIGHTS = [0.5, 1.0, 2.0]
OURS = 'mobileone_mm.CrossEntropyLoss'
MMSEGS = {'type': 'CrossEntropyLoss', 'class_weight': WEIGHTS}


def model_with(decode: Any, auxiliary: Any = None, **head_options: Any) -> nn.Module:
    init_default_scope('mmseg')
    head = {'type': 'FCNHead', 'in_channels': 8, 'channels': 4, 'num_classes': 3, 'num_convs': 1, **head_options}
    heads = {'decode_head': {**head, 'loss_decode': decode}}
    if auxiliary:
        heads['auxiliary_head'] = {**head, 'loss_decode': auxiliary}
    arch = {
        'num_blocks': [1] * 4,
        'width_factor': [0.125, 0.125, 0.0625, 0.015625],
        'num_conv_branches': [1] * 4,
        'num_se_blocks': [0] * 4,
    }
    backbone = {'type': 'mobileone_mm.MobileOne', 'arch': arch}
    built: nn.Module = MODELS.build({'type': 'EncoderDecoder', 'backbone': backbone, **heads})
    return built


@pytest.mark.parametrize('head', ['decode_head', 'auxiliary_head'])
def test_mmsegs_own_is_refused_with_the_loss_to_write_instead(head: str) -> None:
    good = {'type': OURS, 'class_weight': WEIGHTS}
    model = model_with(*((MMSEGS, good) if head == 'decode_head' else (good, MMSEGS)))
    with pytest.raises(ConfigError, match=rf"{head}: mmseg's .* label 255 .*type='mobileone_mm\.CrossEntropyLoss'"):
        require_usable_class_weights(model)


def test_it_is_found_among_several_losses() -> None:
    with pytest.raises(ConfigError, match='decode_head: '):
        require_usable_class_weights(model_with([{'type': 'DiceLoss'}, MMSEGS]))


@pytest.mark.parametrize(
    ('loss', 'options'),
    [
        ({'type': OURS, 'class_weight': WEIGHTS}, {}),
        ({'type': 'CrossEntropyLoss'}, {}),
        (MMSEGS, {'ignore_index': 2}),  # has a weight of its own
        ({'type': 'CrossEntropyLoss', 'use_sigmoid': True, 'class_weight': WEIGHTS}, {}),  # looks nothing up
    ],
)
def test_what_works_is_let_through(loss: dict[str, Any], options: dict[str, Any]) -> None:
    require_usable_class_weights(model_with(loss, **options))


def test_another_number_than_of_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match='decode_head: class_weight with 2 entries given, expected 3, one for each'):
        require_usable_class_weights(model_with({'type': OURS, 'class_weight': [1.0, 2.0]}))


def test_other_models_are_let_through() -> None:
    require_usable_class_weights(nn.Sequential(nn.Conv2d(3, 3, 1)))

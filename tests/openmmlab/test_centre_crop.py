"""What a test pipeline cuts out of the middle of a picture, and the same one made to see its whole shorter side."""

from typing import Any

import numpy as np
import pytest
from mmcv.transforms import CenterCrop
from sizing_pipelines import config_of, cut, edge, efficient, stretch, torchvision

from mobileone_mm.openmmlab.centre_crop import CentreCrop, centre_crop_of, see_whole, sizing_steps
from mobileone_mm.openmmlab.test_data import test_pipeline as pipeline_of


@pytest.mark.parametrize(
    ('pipeline', 'expected'),
    [
        ([], None),
        ([edge()], None),
        ([cut()], None),
        ([stretch((224, 224))], None),
        ([edge(edge='long'), cut()], None),  # what is over is not at the sides of the middle
        ([edge(), cut((224, 192))], None),  # no square
        ([edge(), cut()], CentreCrop(256, 224)),
        ([edge(edge='short'), cut((224, 224))], CentreCrop(256, 224)),
        ([cut(), edge()], None),  # the other way round
        ([edge(), cut(), stretch((64, 64))], None),
        ([efficient(224)], CentreCrop(256, 224)),
        ([efficient(240, crop_padding=16)], CentreCrop(256, 240)),
        ([torchvision('Resize', 256), torchvision('CenterCrop', 224)], CentreCrop(256, 224)),
        ([torchvision('Resize', [256]), torchvision('CenterCrop', (224, 224))], CentreCrop(256, 224)),
        ([torchvision('Resize', (256, 256)), torchvision('CenterCrop', 224)], None),  # its Resize stretches
        ([torchvision('CenterCrop', 224)], None),
        ([edge(), cut([[224], [224]])], None),
        ([edge(), cut([])], None),
        ([efficient(224, crop_padding='many')], None),
    ],
)
def test_the_crop_is_that_of_the_test_pipeline(pipeline: list[dict[str, Any]], expected: CentreCrop | None) -> None:
    assert centre_crop_of(config_of(*pipeline)) == expected


@pytest.mark.parametrize(
    'pipeline',
    [
        [edge(), cut()],
        [efficient(224)],
        [efficient(240, crop_padding=16)],
        [torchvision('Resize', 256), torchvision('CenterCrop', (224, 224))],
    ],
)
def test_a_pipeline_can_be_made_to_see_the_whole_shorter_side(pipeline: list[dict[str, Any]]) -> None:
    config = config_of({'type': 'LoadImageFromFile'}, *pipeline, {'type': 'PackInputs'})
    before = [step['type'] for step in pipeline_of(config)]
    see_whole(pipeline_of(config), 96)
    assert centre_crop_of(config) == CentreCrop(96, 96)
    assert [step['type'] for step in pipeline_of(config)] == before


def test_steps_that_change_the_size_are_named_without_their_scope() -> None:
    steps = [{'type': 'LoadImageFromFile'}, cut(), torchvision('Resize', 64), {'type': 'Pad'}, {'type': 'PackInputs'}]
    assert [name for name, _ in sizing_steps(steps)] == ['CenterCrop', 'torchvision/Resize', 'Pad']


@pytest.mark.parametrize(
    ('short', 'side', 'expected'),
    [(256, 224, True), (72, 64, True), (224, 224, True), (73, 64, False), (109, 96, False), (182, 160, False)],
)
def test_a_cut_in_two_steps_is_the_same_one_if_the_margin_is_even(short: int, side: int, expected: bool) -> None:
    """By mmcv's own CenterCrop, on pictures whose longer side is up to three times the shorter one."""
    same = True
    for long in range(short, 3 * short + 1):
        columns = np.broadcast_to(np.arange(long, dtype=np.float32)[None, :, None], (short, long, 1))
        once, twice = {'img': columns}, {'img': columns}
        once = CenterCrop(side).transform(once)
        twice = CenterCrop(side).transform(CenterCrop(short).transform(twice))
        same &= bool(once['img'][0, 0, 0] == twice['img'][0, 0, 0])
    assert same is expected is CentreCrop(short, side).in_two_steps

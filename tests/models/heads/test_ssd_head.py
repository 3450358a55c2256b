"""The SSD head: mmdet's own class, and able to predict."""

import subprocess
import sys

import pytest
import torch
from mmdet.models.dense_heads import SSDHead
from mmengine.structures import InstanceData

from mobileone_mm.models.heads.ssd_head import ssd_head
from mobileone_mm.registry import MODELS

OPTIONS = {
    'num_classes': 2,
    'in_channels': (4, 4),
    'anchor_generator': {
        'type': 'SSDAnchorGenerator',
        'scale_major': False,
        'strides': [16, 32],
        'ratios': [[2], [2]],
        'min_sizes': [16, 32],
        'max_sizes': [32, 64],
    },
    'bbox_coder': {'type': 'DeltaXYWHBBoxCoder', 'target_stds': [0.1, 0.1, 0.2, 0.2]},
    'test_cfg': {'nms_pre': 1000, 'nms': {'type': 'nms', 'iou_threshold': 0.5}, 'score_thr': 0.02, 'max_per_img': 10},
}
META = {'img_shape': (64, 64), 'scale_factor': (1.0, 1.0)}


def features() -> tuple[torch.Tensor, ...]:
    return torch.randn(1, 4, 4, 4), torch.randn(1, 4, 2, 2)


def predict(head: torch.nn.Module, maps: tuple[torch.Tensor, ...]) -> InstanceData:
    return head.predict_by_feat(*head(maps), batch_img_metas=[META], rescale=False, with_nms=False)[0]


def test_mmdets_own_head_still_needs_ours() -> None:
    # When mmdet mends it, this turns red and heads.py can go.
    with pytest.raises(AttributeError, match='loss_cls'):
        predict(SSDHead(**OPTIONS), features())


def test_built_by_scope_it_is_mmdets_class_and_predicts_its_own_softmax() -> None:
    head = MODELS.build({'type': 'mobileone_mm.SSDHead', **OPTIONS})
    assert type(head) is SSDHead
    maps = features()
    found = predict(head, maps)
    scores = torch.cat([s.permute(0, 2, 3, 1).reshape(-1, 3) for s in head(maps)[0]]).softmax(-1)[:, :2]
    expected = scores[scores > OPTIONS['test_cfg']['score_thr']]
    torch.testing.assert_close(found.scores.sort().values, expected.sort().values)


def test_a_wrong_option_is_still_refused() -> None:
    with pytest.raises(TypeError, match='colour'):
        ssd_head(colour='red', **OPTIONS)


def test_importing_it_needs_no_mmdet() -> None:
    code = 'import mobileone_mm.models.heads.ssd_head, sys; raise SystemExit("mmdet" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0

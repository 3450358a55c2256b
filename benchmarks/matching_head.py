"""An SSD's head that matches anchors with boxes otherwise, for own_boxes.py: what it predicts is an SSD's still.

An anchor's label is the IoU of its predicted box with its object (TOOD scales it), and the rest is background. The loss
is the cross-entropy of that, less where it is right already (as quality focal loss, Li et al. 2020), and 1 - GIoU of
boxes. Anchors are matched by their own IoU (as in SSD), by ATSS (Zhang et al. 2020), or by how well they predict so far
(TOOD, Feng et al. 2021).
"""

import math
from typing import Any

import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.models.losses.iou_loss import GIoULoss
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor

IOU, ATSS, TASK_ALIGNED = 'iou', 'atss', 'task_aligned'
MATCHERS: dict[str, dict[str, Any]] = {
    IOU: {
        'type': 'MaxIoUAssigner',
        'pos_iou_thr': 0.5,
        'neg_iou_thr': 0.4,
        'min_pos_iou': 0.0,
        'gt_max_assign_all': False,
    },
    ATSS: {'type': 'ATSSAssigner', 'topk': 9},
    TASK_ALIGNED: {'type': 'TaskAlignedAssigner', 'topk': 13},
}
PRIOR = 0.01  # probability that an untrained head gives to an object
FOCUS = 2.0  # power of the distance from the label
BOX_WEIGHT = 2.0
LEAST = 1e-9  # of a label in its logarithm


@MODELS.register_module()
class MatchingHead(SSDHead):  # type: ignore[misc]  # of mmdet, which has no types
    """mmdet's head with another loss.

    Args:
        matching: 'iou', 'atss' or 'task_aligned'.
        options: as mmdet's.
    """

    def __init__(self, matching: str, **options: Any) -> None:
        super().__init__(**options)
        self.loss_cls = None  # which mmdet reads when it predicts
        self.matching = matching
        self.matcher = TASK_UTILS.build(MATCHERS[matching])
        self.box_loss = GIoULoss(reduction='none')

    def init_weights(self) -> None:
        """As mmdet's; then nearly everything is background."""
        super().init_weights()
        for convs in self.cls_convs:
            bias = convs[-1].bias.data.view(-1, self.num_classes + 1)
            bias.zero_()[:, -1] = math.log((1 - PRIOR) / PRIOR * self.num_classes)

    def loss_by_feat(
        self, cls_scores: list[Tensor], bbox_preds: list[Tensor], batch_gt_instances: list[Any], *_: Any, **__: Any
    ) -> dict[str, Any]:
        """Losses of a batch, picture by picture, over what its boxes are worth together."""
        maps = [scores.shape[-2:] for scores in cls_scores]
        levels = self.prior_generator.grid_priors(maps, device=cls_scores[0].device)
        anchors, counts = torch.cat(levels), [len(level) for level in levels]
        logits, deltas = (_rows(found, size) for found, size in ((cls_scores, self.num_classes + 1), (bbox_preds, 4)))
        classified, located, total = [], [], 0.0
        for of_one, moved, truth in zip(logits, deltas, batch_gt_instances, strict=True):
            boxes = self.bbox_coder.decode(anchors, moved)
            scores = of_one.detach().softmax(-1)
            found = self._matched(anchors, counts, scores[:, :-1], boxes.detach(), truth)
            matched = found.gt_inds  # from 1 on; 0 is background, -1 neither
            taken = (matched > 0).nonzero()[:, 0]
            objects = matched[taken] - 1
            worth = bbox_overlaps(boxes[taken].detach(), truth.bboxes[objects], is_aligned=True).clamp(0, 1)
            if self.matching == TASK_ALIGNED:
                worth = _aligned(found.assign_metrics[taken], worth, objects)
            labels = torch.zeros_like(of_one)
            labels[:, -1] = 1
            labels[taken, truth.labels[objects]] = worth
            labels[taken, -1] = 1 - worth
            unsure = ((labels - scores).abs().sum(-1) / 2) ** FOCUS * (
                matched >= 0
            )  # -1: neither object nor background
            entropy = (labels * (labels.clamp(min=LEAST).log() - of_one.log_softmax(-1))).sum(-1)
            classified.append((entropy * unsure).sum())
            located.append((self.box_loss(boxes[taken], truth.bboxes[objects]) * worth).sum() + 0 * moved.sum())
            total += float(worth.sum())
        total = max(total, 1.0)
        return {
            'loss_cls': [loss / total for loss in classified],
            'loss_bbox': [BOX_WEIGHT * loss / total for loss in located],
        }

    def _matched(self, anchors: Tensor, counts: list[int], scores: Tensor, boxes: Tensor, truth: Any) -> Any:
        """mmdet's result of matching the anchors of a picture with its objects."""
        if self.matching == ATSS:
            return self.matcher.assign(InstanceData(priors=anchors), counts, truth)
        return self.matcher.assign(InstanceData(priors=anchors, scores=scores, bboxes=boxes), truth)


def _aligned(alignment: Tensor, ious: Tensor, objects: Tensor) -> Tensor:
    """TOOD's labels: the alignment, scaled so that the best anchor of each object has the best IoU (section 3.3.1)."""
    labels = torch.zeros_like(ious)
    for number in objects.unique():
        own = objects == number
        labels[own] = alignment[own] / (alignment[own].max() + LEAST) * ious[own].max()
    return labels


def _rows(maps: list[Tensor], size: int) -> Tensor:
    """(N, anchors of all maps, size) from maps (N, anchors of a cell * size, H, W)."""
    return torch.cat([found.permute(0, 2, 3, 1).reshape(len(found), -1, size) for found in maps], dim=1)

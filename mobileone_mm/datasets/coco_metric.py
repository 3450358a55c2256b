"""COCO's metric of a part of a set."""

from typing import Any

from mmdet.evaluation import CocoMetric as MMDetCocoMetric

from mobileone_mm.registry import METRICS


@METRICS.register_module()
class CocoMetric(MMDetCocoMetric):  # type: ignore[misc]  # mmdet is untyped
    """mmdet's CocoMetric over the images that were predicted, in place of all that its file lists.

    Images of another part of the file, which a data set with `part` leaves out, would count as missed.
    """

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        self.img_ids = [found['img_id'] for _, found in results]
        scores: dict[str, float] = super().compute_metrics(results)
        return scores

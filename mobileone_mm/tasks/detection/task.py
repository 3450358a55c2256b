"""Detection as a task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.card import FRACTION, Check, one_of
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.openmmlab.classes import class_names
from mobileone_mm.pictures.drawing import PALETTE
from mobileone_mm.tasks.detection import agreement, detections, drawing, fingerprint, judging, metric, rows
from mobileone_mm.tasks.detection.detections import Detections, Rules
from mobileone_mm.tasks.detection.graph import DetectorGraph, require_ssd
from mobileone_mm.tasks.detection.options import DetectionOptions
from mobileone_mm.tasks.task import Exporting, Graph, Looking, Predicting, Size, Task, stretched_whole


def _graph(model: Any, size: Size, _options: DetectionOptions) -> Graph:
    return DetectorGraph(model, size)


def _reference(model: Any, picture: Picture, _options: DetectionOptions) -> Outputs:
    return rows.reference(model, picture)


def _settings(options: DetectionOptions, _config: Config, _classes: Sequence[str]) -> Mapping[str, Any]:
    return {
        'clips_to_image': False,
        'labels_per_box': 1,
        'iou_threshold': options.iou_threshold,
        'confidence_threshold': options.confidence_threshold,
    }


def _shown_settings(settings: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    thresholds = ('IoU', settings['iou_threshold']), ('Confidence', settings['confidence_threshold'])
    return [(f'{name} threshold', f'{value}', 'default of the file') for name, value in thresholds]


def _facts(shapes: Mapping[str, Sequence[int]]) -> Mapping[str, int]:
    raw_boxes, columns = shapes[rows.RAW_CONFIDENCE]
    return {'rows': raw_boxes, 'columns': columns}


def _rules_as_dict(rules: Rules) -> Mapping[str, float]:
    return {
        'score threshold': rules.score_threshold,
        'IoU threshold': rules.iou_threshold,
        'boxes per picture': rules.limit,
    }


def _counts(found: Detections, classes: Sequence[str]) -> Mapping[str, int]:
    return Counter(classes[label] for label in found.labels)


def _counted(counts: Mapping[str, int]) -> str:
    named = ', '.join(f'{name} {count}' for name, count in Counter(counts).most_common())
    return f'boxes: {sum(counts.values())}{named and f" ({named})"}'


TASK = Task(
    name='detection',
    noun='detector',
    host='mmdet',
    options=DetectionOptions,
    export=Exporting(
        require=require_ssd,
        framed=stretched_whole,
        require_options=lambda _options, _model, _size: None,
        class_count=lambda model: int(model.bbox_head.num_classes),
        class_names=class_names,
        as_named=tuple,
        graph=_graph,
        reference=_reference,
        compare=rows.compare,
        most=rows.most,
        digest=fingerprint.fingerprint,
        compare_digest=fingerprint.fingerprint_rungs,
        probe=Check('a fingerprint: rows and sums', fingerprint.is_fingerprint),
        settings=_settings,
        setting_checks={
            'clips_to_image': one_of(False),
            'labels_per_box': one_of(1),
            'iou_threshold': FRACTION,
            'confidence_threshold': FRACTION,
        },
        shown_settings=_shown_settings,
        facts=_facts,
    ),
    predict=Predicting(
        rules=detections.rules_of,
        shown_rules=detections.shown_rules_of,
        card_rules=detections.rules_of_card,
        changed=detections.changed,
        as_dict=_rules_as_dict,
        decode=detections.decode,
        by=detections.predict,
        samples=lambda _samples, _card: None,
        own_rule=metric.OWN_RULE,
        exported_rule=metric.EXPORTED_RULE,
        rule_change=metric.rule_change,
        to_sample=metric.to_sample,
        limit_metric=metric.limit_metric,
        evaluated=metric.evaluated,
        main_metric='bbox_mAP',
        class_metric='AP',
        percent=False,
        for_person=detections.for_person,
    ),
    look=Looking(
        by_both=agreement.found_by_both,
        agree=agreement.agreement,
        total=agreement.total,
        draw=drawing.drawn,
        draw_pair=drawing.drawn_pair,
        truth=detections.truth,
        draw_beside=drawing.drawn_beside,
        colours=lambda count: [PALETTE[index % len(PALETTE)] for index in range(count)],
        key='detections',
        as_json=drawing.as_json,
        counts=_counts,
        counted=_counted,
        said=drawing.said,
    ),
    judging=judging.JUDGING,
)

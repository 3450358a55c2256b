"""Segmentation as a task."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.card import Check, one_of
from mobileone_mm.openmmlab.classes import class_names, palette
from mobileone_mm.pictures.colours import distinct_colours, hexadecimal
from mobileone_mm.tasks import largest_logit
from mobileone_mm.tasks.segmentation import agreement, classes, drawing, fingerprint, judging, maps, metric
from mobileone_mm.tasks.segmentation.graph import SegmenterGraph, require_encoder_decoder, required_grid
from mobileone_mm.tasks.segmentation.options import MAP_STRIDES, MAPS, SegmentationOptions
from mobileone_mm.tasks.task import Exporting, Looking, Predicting, Size, Task, stretched_whole


def _class_count(model: Any) -> int:
    return int(model.decode_head.num_classes)


def _require_options(options: SegmentationOptions, model: Any, size: Size) -> None:
    options.require(_class_count(model), size)
    stride = options.stride_for(_class_count(model))
    if stride > 1:  # no logits are finer than the picture
        required_grid(model, size, stride)


def _settings(options: SegmentationOptions, config: Config, names: Sequence[str]) -> Mapping[str, Any]:
    return {
        'map': options.map,
        'map_stride': options.stride_for(len(names)),
        'logits': options.logits,
        'colors': tuple(hexadecimal(colour) for colour in palette(config, len(names))),
    }


def _is_colours(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and len(one) == 7 for one in value)


TASK = Task(
    name='segmentation',
    noun='segmenter',
    host='mmseg',
    options=SegmentationOptions,
    export=Exporting(
        require=require_encoder_decoder,
        framed=stretched_whole,
        require_options=_require_options,
        class_count=_class_count,
        class_names=class_names,
        as_named=tuple,
        graph=SegmenterGraph,
        reference=maps.reference,
        compare=maps.compare,
        most=maps.most,
        digest=fingerprint.fingerprint,
        compare_digest=fingerprint.fingerprint_rungs,
        probe=Check('a fingerprint: range, sums and map', fingerprint.is_fingerprint),
        settings=_settings,
        setting_checks={
            'map': one_of(*MAPS),
            'map_stride': one_of(*MAP_STRIDES),
            'logits': one_of(True, False),
            'colors': Check('a list of colours such as "#80FF00"', _is_colours),
        },
        shown_settings=lambda settings: [
            ('Map', settings['map'], ''),
            ('Map stride', f'{settings["map_stride"]}', ''),
        ],
        facts=lambda _shapes: {},
    ),
    predict=Predicting(
        rules=largest_logit.rules_of,
        shown_rules=largest_logit.rules_of,
        card_rules=largest_logit.rules_of_card,
        changed=partial(largest_logit.changed, 'a segmenter'),
        as_dict=lambda _rules: {},
        decode=classes.decode,
        by=classes.predict,
        samples=lambda _samples, _card: None,
        own_rule=metric.OWN_RULE,
        exported_rule=metric.EXPORTED_RULE,
        rule_change=metric.rule_change,
        to_sample=metric.to_sample,
        limit_metric=metric.limit_metric,
        evaluated=metric.evaluated,
        main_metric='mIoU',
        class_metric='IoU',
        percent=True,
        for_person=classes.for_person,
    ),
    look=Looking(
        by_both=agreement.found_by_both,
        agree=agreement.agreement,
        total=agreement.total,
        draw=drawing.drawn,
        draw_pair=drawing.drawn_pair,
        truth=classes.truth,
        draw_beside=drawing.drawn_beside,
        colours=lambda count: [hexadecimal(colour) for colour in distinct_colours(count)],
        key='classes',
        as_json=drawing.as_json,
        counts=drawing.counts,
        counted=drawing.counted,
        said=drawing.said,
    ),
    judging=judging.JUDGING,
)

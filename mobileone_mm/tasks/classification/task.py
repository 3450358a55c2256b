"""Classification as a task."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.card import RESIZE, Check
from mobileone_mm.openmmlab.inputs import require_size
from mobileone_mm.pictures.reading import INTERPOLATIONS, Resampling
from mobileone_mm.tasks import largest_logit
from mobileone_mm.tasks.classification import agreement, compare, drawing, framing, judging, metric, names, ranking
from mobileone_mm.tasks.classification.graph import ClassifierGraph, require_classifier
from mobileone_mm.tasks.classification.options import ClassificationOptions, FramedOptions
from mobileone_mm.tasks.task import Exporting, Looking, Predicting, Size, Task


def _class_count(model: Any) -> int:
    return int(model.head.num_classes)


def _require_options(options: FramedOptions, model: Any, _size: Size) -> None:
    if options.seen:
        require_size(model, (options.seen, options.seen))


def _settings(options: FramedOptions, config: Config, _names: Sequence[str]) -> Mapping[str, Any]:
    return {'crop_inside': options.seen, RESIZE: asdict(framing.resampling_of(config))}


def _shown_settings(settings: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    side = settings['crop_inside']
    return [('Crop inside', f'{side}x{side} px', 'what the model sees')] if side else []


def _is_resampling(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {field.name for field in fields(Resampling)}:
        return False
    backend, interpolation = value['backend'], value['interpolation']
    known = INTERPOLATIONS.get(backend, ()) if isinstance(backend, str) else ()
    return interpolation in known


def _is_side(value: Any) -> bool:
    return value is None or (type(value) is int and value > 0)


TASK = Task(
    name='classification',
    noun='classifier',
    host='mmpretrain',
    options=ClassificationOptions,
    export=Exporting(
        require=require_classifier,
        framed=framing.framed,
        require_options=_require_options,
        class_count=_class_count,
        class_names=names.class_names,
        as_named=names.as_named,
        graph=ClassifierGraph,
        reference=compare.reference,
        compare=compare.compare,
        most=compare.most,
        digest=compare.digest,
        compare_digest=compare.compare_digest,
        probe=Check('a digest: the logits', compare.is_digest),
        settings=_settings,
        setting_checks={
            'crop_inside': Check('px of a side, or null', _is_side),
            RESIZE: Check('an object: backend (cv2 or pillow) and interpolation', _is_resampling),
        },
        shown_settings=_shown_settings,
        facts=lambda _shapes: {},
    ),
    predict=Predicting(
        rules=largest_logit.rules_of,
        shown_rules=largest_logit.rules_of,
        card_rules=largest_logit.rules_of_card,
        changed=partial(largest_logit.changed, 'a classifier'),
        as_dict=lambda _rules: {},
        decode=ranking.decode,
        by=ranking.predict,
        samples=framing.samples_for,
        own_rule=metric.RULE,
        exported_rule=metric.RULE,
        rule_change=metric.rule_change,
        to_sample=metric.to_sample,
        limit_metric=metric.limit_metric,
        evaluated=metric.evaluated,
        main_metric='top1',
        class_metric='top-1',
        percent=True,
        for_person=ranking.for_person,
    ),
    look=Looking(
        by_both=agreement.found_by_both,
        agree=agreement.agreement,
        total=agreement.total,
        draw=drawing.drawn,
        draw_pair=drawing.drawn_pair,
        truth=ranking.truth,
        draw_beside=drawing.drawn_beside,
        colours=lambda _count: (),
        key='classes',
        as_json=drawing.as_json,
        counts=drawing.counts,
        counted=drawing.counted,
        said=drawing.said,
    ),
    judging=judging.JUDGING,
)

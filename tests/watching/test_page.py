"""The page about a training: what it says of curves and metrics, and that it fits wherever it is shown."""

import math
import re
from dataclasses import replace

from page_reader import Reader

from mobileone_mm.watching.curves import Curves
from mobileone_mm.watching.page import Training, page

RESULTS = {'coco/bbox_mAP': ([2.0, 4.0], [0.5, 0.4]), 'coco/bbox_mAP_l': ([2.0, 4.0], [math.nan, math.nan])}
TRAINING = Training(
    name='cells',
    task='detection',
    place='Training: epoch 4 of 8',
    over=False,
    unit='epoch',
    facts=[('As of', '10:00', 'begun 9:00'), ('Device', 'CPU', '')],
    paths={},
    curves=Curves({'loss': ([1.0, 2.0], [3.0, 2.0])}, {'lr': ([1.0, 2.0], [0.1, 0.05])}, RESULTS),
    main='coco/bbox_mAP',
    best='bbox_mAP 0.5000 (best.pth)',
)


def figure(html: str, title: str) -> list[str]:
    """The texts of a plot."""
    (found,) = re.findall(rf'<figure class="plot"><h3>{title}</h3>.*?</figure>', html, re.DOTALL)
    return Reader(found).texts


def test_a_metric_that_measured_nothing_is_in_the_table_and_has_no_curve() -> None:
    html = page(TRAINING)
    drawn = figure(html, 'Metrics, in fractions of 1')
    assert drawn[-2:] == ['bbox_mAP', '0.4000']
    texts = Reader(html).texts
    assert texts[texts.index('bbox_mAP_l') :][:3] == ['bbox_mAP_l', '\N{EN DASH}', '\N{EN DASH}']


def test_it_says_what_losses_are_means_of() -> None:
    said = "Losses are means of the last 50 steps, as in mmengine's log."
    assert said in page(replace(TRAINING, window=50)).replace('&#x27;', "'")
    assert 'Losses' not in page(TRAINING)


def test_the_last_value_and_the_highest_stand_in_the_table() -> None:
    texts = Reader(page(TRAINING)).texts
    start = texts.index('highest') + 1
    assert texts[start : start + 4] == ['bbox_mAP', '0.4000', '0.5000', 'epoch 2']


def test_a_learning_rate_is_seen_against_zero() -> None:
    drawn = figure(page(TRAINING), 'Learning rate')
    ticks = drawn[drawn.index('epoch') + 1 : drawn.index('lr')]
    assert ticks[0] == '0'
    assert float(ticks[-1]) <= 0.105


def test_it_fits_a_phone_and_runs_and_loads_nothing() -> None:
    html = page(replace(TRAINING, over=True))
    reader = Reader(html)
    assert html.count('<table') == html.count('<div class="scroll" tabindex="0"><table') == 1
    assert all('width' not in attributes for tag, attributes in reader.tags if tag == 'svg')  # as wide as there is room
    assert {'script', 'link', 'iframe'}.isdisjoint(tag for tag, _ in reader.tags)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)

"""The page about an export: whole, by itself, every value escaped; it answers first and tells more to who asks."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from page_reader import ALIKE, EVIL, ONE_MISSES, SNIPPET, Reader, html_of

from mobileone_mm.artifact.ladder import Rung, plain_name
from mobileone_mm.evaluation.scores import Row, Scores
from mobileone_mm.exporter.page import page, write_page
from mobileone_mm.exporter.report import Report

LOADING = {'src', 'href', 'srcset', 'data', 'poster', 'action', 'background'}  # attributes that make a browser fetch
ROW = Row('it', 'one label', {'coco/mAP': 0.5}, 0.1, {'circle': 0.05, 'square': 0.6, 'triangle': 0.85})
SCORES = Scores('d.mlpackage', 'c.py', 'coco/mAP', (ROW,), 4, 9, {}, False, ('A note.',), 'folder', 'AP')


def test_the_page_is_whole_and_loads_nothing(shown: Report, tmp_path: Path) -> None:
    write_page(tmp_path / 'report.html', replace(shown, scores=SCORES), [ALIKE, ONE_MISSES], SNIPPET, 'none there')
    html = (tmp_path / 'report.html').read_text(encoding='utf-8')
    reader = Reader(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not {tag for tag, _ in reader.tags} & {'script', 'link', 'iframe', 'object', 'base'}
    for tag, attributes in reader.tags:
        for name in LOADING & set(attributes):
            assert (attributes[name] or '').startswith('data:'), f'{tag} loads {attributes[name]}'
    assert not re.search(r'url\(|@import', html)
    assert not re.search(r'\$[a-z{]', html)  # a placeholder that was forgotten
    ids = [attributes['id'] for _, attributes in reader.tags if 'id' in attributes]
    assert len(set(ids)) == len(ids)


def test_the_score_stands_at_the_top(shown: Report) -> None:
    texts = Reader(html_of(shown, scores=SCORES)).texts
    assert 'It scores mAP 0.5000.' in texts[: texts.index('Checks')]


@pytest.mark.parametrize(('count', 'folded'), [(100, False), (101, True)])
def test_the_names_of_many_classes_are_folded_away(count: int, folded: bool, shown: Report) -> None:
    classes = (*shown.info.classes, *(f'class {index}' for index in range(count - len(shown.info.classes))))
    html = html_of(replace(shown, info=replace(shown.info, classes=classes)), [])
    assert f'<dt>{count} classes</dt>' in html
    assert ('<summary>Their names</summary>\n<ul class="classes">' in html) == folded
    assert html.count('<li style="--colour:') == count


def test_a_phone_shows_it_in_its_own_width(shown: Report) -> None:
    html = html_of(shown, [ALIKE], scores=SCORES)
    (viewport,) = re.findall(r'<meta name="viewport" content="([^"]*)">', html)
    assert viewport.startswith('width=device-width')
    # What is wider scrolls by itself.
    assert html.count('<table') == html.count('<div class="scroll" tabindex="0"><table') == 3
    assert '@media (max-width: 640px)' in html


def test_every_value_is_there(shown: Report, exported: Report) -> None:
    reader = Reader(html_of(shown, [ALIKE]))
    texts = set(reader.texts)
    assert {plain_name(rung.name) for rung in exported.rungs} <= texts
    numbers = {rung.name.replace('->', '→') for rung in exported.rungs} | {r.note for r in exported.rungs if r.note}
    assert numbers <= texts
    assert {rung.unit for rung in exported.rungs} <= texts
    assert {EVIL, 'square', 'triangle', *shown.operations, *shown.seconds} <= texts
    assert {exported.info.config, exported.info.checkpoint, *exported.info.versions.values()} <= texts
    assert f'sha256 {exported.info.checkpoint_sha256[:12]}' in texts
    assert {'96x64 px', 'iOS16', '198 rows, 80 columns', f'{exported.bytes:,} bytes', '3 classes'} <= texts
    assert {'IoU threshold', '0.45', 'Confidence threshold', '0.25'} <= texts
    assert set(SNIPPET) <= texts
    assert f'{EVIL} 0.90' in str(reader.images[0]['alt'])


def spoilt(value: Any) -> Any:
    """A copy in which every text, names and keys included, ends in what breaks a page that does not escape it."""
    if isinstance(value, str):
        return f'{value}{EVIL}'
    if isinstance(value, dict):
        return {spoilt(key): spoilt(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(map(spoilt, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: spoilt(getattr(value, field.name)) for field in fields(value)})
    return value


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_in((*value, *value.values()))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from texts_in(one)


def test_whatever_a_text_says_it_is_text(exported: Report) -> None:
    rungs = (Rung('made', 0.25, 0.5, 'px', 'a note'), Rung('off', 3.0, 1.0, 'px'), Rung('not made', None, 1.0, 'px'))
    info = replace(
        spoilt(exported.info),
        task='detection',
        input_size=exported.info.input_size,
        crop=exported.info.crop,
        settings={'iou_threshold': EVIL, 'confidence_threshold': EVIL},
    )
    report = replace(
        exported,
        artifact=exported.artifact.with_name(EVIL),
        info=info,
        rungs=spoilt(rungs),
        operations=spoilt(dict(exported.operations)),
        facts=spoilt(dict(exported.facts)),
        seconds=spoilt(dict(exported.seconds)),
        scores=replace(spoilt(SCORES), rows=(spoilt(ROW), spoilt(ROW))),
        pictures=f'pictures{EVIL}',
    )
    pairs = [replace(one, name=f'{one.name}{EVIL}') for one in (ALIKE, ONE_MISSES)]
    reader = Reader(page(report, pairs, spoilt(SNIPPET), f'lacking{EVIL}'))
    whole = '\n'.join(reader.texts)
    for text in texts_in([info.config, info.checkpoint, info.target, info.classes, dict(info.versions), *SNIPPET]):
        assert text in whole
    for text in texts_in([dict(report.operations), dict(report.facts), dict(report.seconds), 'lacking<b>&"']):
        assert text in whole
    # Tags of the page itself alone: the verdict, the warning, the advice and the names of two pictures.
    assert sum(tag == 'b' for tag, _ in reader.tags) == 5


def test_operations_are_ordered_by_count_and_stations_as_they_ran(shown: Report) -> None:
    texts = Reader(html_of(shown)).texts
    operations = sorted(shown.operations.items(), key=lambda item: -item[1])
    places = [texts.index(name, texts.index('Operations')) for name, _ in operations]
    assert places == sorted(places)
    assert [texts[place + 1] for place in places] == [str(count) for _, count in operations]
    stations = [texts.index(name, texts.index('Time')) for name in shown.seconds]
    assert stations == sorted(stations)


def test_without_pictures_and_scores_there_are_no_such_sections(shown: Report) -> None:
    texts = Reader(html_of(shown)).texts
    assert not {'Pictures', 'Scores'} & set(texts)
    assert {'Checks', 'Use it', 'Operations', 'Time', 'Made with'} <= set(texts)


def rung(name: str, value: float | None, **others: Any) -> Rung:
    return Rung(name, value, 1.0, 'px', **others)


def test_the_answer_stands_first(shown: Report) -> None:
    html = html_of(shown, rungs=(rung('a', 0.1), rung('b', None, note='not run: no Mac')), pictures='2 pictures given')
    said = Reader(html).between('tiny.mlpackage', 'Size')
    assert said == [
        'Same as the model you trained: yes',
        'Checked here: 1 check on 2 pictures given; b: not run, no Mac',
    ]
    assert '<div class="verdict good">' in html


def test_a_check_that_failed_is_the_answer(shown: Report) -> None:
    rungs = (rung('a', 0.1), rung('b', 3.0, note='`fp32_ops` a helps', cure='train it'), rung('c', float('nan')))
    html = html_of(shown, rungs=rungs, pictures='a drawn picture')
    said = ' '.join(Reader(html).between('tiny.mlpackage', 'Size'))
    assert said == (
        'FAILED: b (3 px, limit 1 px) Same as the model you trained: NO. --fp32-op a helps. What helps: train it. '
        'Checked here: 3 checks on a drawn picture'
    )
    assert '<code>--fp32-op</code>' in html
    assert '<div class="verdict bad">' in html


def test_a_weak_model_is_warned_of_beside_a_faithful_export(shown: Report) -> None:
    (warning,) = re.findall(r'<p class="verdict weak">(.*?)</p>', html_of(shown, scores=SCORES))
    assert 'Faithful export of a model that is weak in places: circle AP 0.05, on 4 pictures' in warning
    worse = replace(ROW, name='file', metrics={key: value - 0.02 for key, value in ROW.metrics.items()})
    (warning,) = re.findall(
        r'<p class="verdict weak">(.*?)</p>', html_of(shown, scores=replace(SCORES, rows=(ROW, worse)))
    )
    assert warning.startswith('<b>Export of a model'), 'an export that loses two points is not faithful'
    sound = replace(SCORES, rows=(replace(ROW, classes={'circle': 0.5, 'square': 0.6}),))
    assert 'class="verdict weak"' not in html_of(shown, scores=sound)


@pytest.mark.parametrize(('weights', 'said'), [('palette8', 'palette8'), ('palette6', 'palette6 (experimental)')])
def test_weights_are_named(weights: str, said: str, shown: Report) -> None:
    texts = Reader(html_of(shown, info=replace(shown.info, weights=weights))).texts
    assert f'computes in float16, weights {said}' in texts

"""The page about an evaluation: whole, and of the very predictions that were scored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from page_reader import EVIL, Reader

from mobileone_mm.errors import UsageError
from mobileone_mm.evaluation.judgement import Judgement
from mobileone_mm.evaluation.judgement_sections import MOST_CLASSES, MOST_SQUARE, OPEN_CLASSES, sections
from mobileone_mm.evaluation.scoring import evaluate
from mobileone_mm.outputs import EVALUATION
from mobileone_mm.pictures.reading import write_picture
from mobileone_mm.tasks.classification.judging import JUDGING
from mobileone_mm.tasks.detection.judging import JUDGING as BOXES
from tiny_segmenter import CLASSES

DASH = '\N{EN DASH}'
CORNER = 'annotated ↓ found →'


class Sample(dict[str, Any]):
    """What a classifier's data sample holds."""

    def __init__(self, label: int, found: int, count: int, path: Path | None = None) -> None:
        scores = torch.full((count,), 0.1 / count)
        scores[found] = 0.9
        super().__init__(gt_label=torch.tensor([label]), pred_score=scores)
        self.gt_label, self.pred_score, self.img_path = self['gt_label'], scores, str(path) if path else None


def judged(classes: list[str], *pairs: tuple[int, int], path: Path | None = None, most: int = 10) -> Judgement:
    judgement = Judgement(JUDGING, classes, most)
    for label, found in pairs:
        judgement.add({}, Sample(label, found, len(classes), path))
    return judgement


def table(html: str, title: str) -> list[str]:
    """The texts of a section, from its title on."""
    texts = Reader(html).texts
    return texts[texts.index(title) :]


def test_results_of_classes_are_those_of_the_counts() -> None:
    first, second, third = judged(['cat', 'dog', 'cow'], (0, 0), (0, 1), (1, 1), (1, 1)).of_classes()
    assert (first.annotated, first.found, first.recall, first.precision) == (2, 1, 0.5, 1.0)
    assert (second.annotated, second.found, second.recall) == (2, 3, 1.0)
    assert second.precision == pytest.approx(2 / 3)
    assert second.score == pytest.approx(0.8)
    assert np.isnan([third.recall, third.precision, third.score]).all()


def test_confusions_come_the_most_frequent_first() -> None:
    judgement = judged(['cat', 'dog', 'cow'], (0, 1), (2, 1), (2, 1), (1, 1))
    assert judgement.confusions() == [('cow', 'dog', 2), ('cat', 'dog', 1)]


def test_the_worst_pictures_are_kept(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    write_picture(path, np.zeros((8, 8, 3), np.uint8))
    judgement = judged(['cat', 'dog'], (0, 1), (0, 0), (1, 0), (0, 1), path=path, most=2)
    assert [one.path for one in judgement.worst] == [path, path]
    assert judgement.pictures == 4
    assert judged(['cat', 'dog'], (0, 1), path=tmp_path / 'gone.png').worst == []


def test_sections_say_it_and_escape_every_name(tmp_path: Path) -> None:
    path = tmp_path / f'{EVIL[:3]}.png'
    write_picture(path, np.zeros((8, 8, 3), np.uint8))
    html = ''.join(sections(judged([EVIL, 'dog', '<script>'], (0, 1), (1, 1), path=path), f'pictures {EVIL}'))
    assert '<script' not in html
    classes = table(html, 'Classes')
    assert classes[2:8] == ['class', 'F1', 'recall', 'precision', 'pictures annotated', 'found']
    assert classes[8:14] == [EVIL, '0.00', '0.00', DASH, '1', '0']
    assert classes[14:20] == ['dog', '66.67', '100.00', '50.00', '1', '2']
    square = table(html, 'Confusion')
    assert square[2:5] == [CORNER, EVIL, 'dog']
    assert square[5:8] == [EVIL, '0', '1']
    assert path.name in table(html, 'Worst pictures')


def test_classes_that_are_nowhere_are_counted_only() -> None:
    html = ''.join(sections(judged([f'class {n}' for n in range(50)], (0, 1), (1, 1)), 'x'))
    assert '48 of 50 classes are in none of them' in table(html, 'Classes')[1]
    assert 'class 2' not in html
    assert table(html, 'Confusion')[2:5] == [CORNER, 'class 0', 'class 1']


def test_a_class_of_which_nothing_right_was_found_has_no_curve_and_is_named() -> None:
    html = ''.join(sections(judged(['cat', 'dog'], (0, 1), (1, 1)), 'x'))
    start = table(html, 'Precision and recall')
    assert 'No curve where nothing right was found: cat.' in start[1]
    assert start[2] == 'Precision against recall'
    assert {'precision', 'recall'} <= set(start[3 : start.index('Confusion')])
    assert [text for text in start[3 : start.index('Confusion')] if text in {'cat', 'dog'}] == ['dog']


def judged_boxes(
    *found: tuple[int, int, float], classes: Sequence[str] = ('cat', 'dog'), annotated: int = 2
) -> Judgement:
    """Of two annotated boxes, a cat's and a dog's: each found one has the place of one of them, a label and a score."""
    boxes = [[10.0, 10.0, 50.0, 50.0], [100.0, 10.0, 140.0, 50.0]]
    sample = DetDataSample(metainfo={'ori_shape': (100, 200)})
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([boxes[place] for place, _, _ in found]),
        labels=torch.tensor([label for _, label, _ in found]),
        scores=torch.tensor([score for _, _, score in found]),
    )
    instances = [{'bbox': box, 'bbox_label': label, 'ignore_flag': 0} for label, box in enumerate(boxes[:annotated])]
    judgement = Judgement(BOXES, classes)
    judgement.add({'instances': instances}, sample)
    return judgement


def test_the_threshold_with_the_highest_f1_is_named() -> None:
    # The dog's box is taken for a cat with 0.4. Between that and the 0.6 of the right box, both classes are right.
    html = ''.join(sections(judged_boxes((0, 0, 0.9), (1, 1, 0.6), (1, 0, 0.4)), 'x'))
    texts = table(html, 'Precision and recall')
    assert 'The mean F1 of the classes is highest, 1.000, if only boxes with a score of 0.50 or more count' in texts[1]
    assert {'Precision against recall', 'F1 against the threshold'} <= set(texts)
    legend = texts[texts.index('F1 against the threshold') :]
    assert [legend[legend.index(name) + 1] for name in ('cat', 'dog', 'mean of the classes')] == [
        '1.000 at 0.65',
        '1.000 at 0.50',
        '1.000 at 0.50',
    ]


def test_a_threshold_below_what_was_found_is_not_named() -> None:
    texts = table(''.join(sections(judged_boxes((0, 0, 0.9), (1, 1, 0.9)), 'x')), 'Precision and recall')
    assert 'a score of 0.89 or more count' in texts[1]


def test_boxes_below_every_threshold_have_none() -> None:
    texts = table(''.join(sections(judged_boxes((0, 0, 0.005), (1, 1, 0.004)), 'x')), 'Precision and recall')
    assert 'is highest' not in texts[1]


def test_of_a_single_class_there_is_no_mean() -> None:
    html = ''.join(sections(judged_boxes((0, 0, 0.9), classes=['cat'], annotated=1), 'x'))
    texts = table(html, 'Precision and recall')
    assert ' F1 is highest, 1.000, ' in texts[1]
    assert 'mean of the classes' not in texts


def test_without_a_right_box_there_is_no_threshold_to_name() -> None:
    html = ''.join(sections(judged_boxes((0, 1, 0.9)), 'x'))
    assert 'F1 against' not in html


def test_what_is_classified_has_no_threshold() -> None:
    assert 'F1 against' not in ''.join(sections(judged(['cat', 'dog'], (0, 0), (1, 1)), 'x'))


def test_large_counts_are_shares_of_their_row() -> None:
    judgement = judged(['cat', 'dog'], (0, 0))
    judgement.counts = np.array([[50_000, 150_000], [0, 1]])
    title, intro, *square = table(''.join(sections(judgement, 'x')), 'Confusion')
    assert title == 'Confusion'
    assert 'in percent of the pictures of the row' in intro
    assert square[3:9] == ['cat', '25.0', '75.0', 'dog', '0', '100.0']
    judgement.counts = judgement.counts // 2
    assert table(''.join(sections(judgement, 'x')), 'Confusion')[5:8] == ['cat', '25,000', '75,000']


def test_whatever_is_wide_scrolls_by_itself() -> None:
    html = ''.join(sections(judged([f'class {n}' for n in range(9)], *((n, 8) for n in range(9))), 'x'))
    assert html.count('<table') == html.count('<div class="scroll" tabindex="0"><table') == 2


def test_many_classes_are_listed_and_folded() -> None:
    count = MOST_CLASSES + 1
    html = ''.join(sections(judged([f'class {n}' for n in range(count)], *((n, n) for n in range(count)), (0, 1)), 'x'))
    assert f'<summary>{count - OPEN_CLASSES} more classes</summary>' in html
    assert count > MOST_SQUARE
    assert 'class 0 → class 1' in table(html, 'Confusion')


def test_a_segmenter(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    config, checkpoint = segmenter
    page = tmp_path / 'new/seg.html'
    scores = evaluate(checkpoint, config, page=page)
    texts = Reader(page.read_text()).texts
    assert EVALUATION.ours(page)
    assert f'{scores.pictures} of {scores.total}' in texts
    rows = texts[texts.index('pixels annotated') :]
    known = {name: value for name, value in scores.rows[-1].classes.items() if not np.isnan(value)}
    assert known.keys() <= set(CLASSES)
    for name, value in known.items():
        assert rows[rows.index(name) + 1] == f'{value:.2f}'
    assert {'Scores', 'Classes', 'Confusion', 'Worst pictures'} <= set(texts)
    legend = texts[texts.index('Worst pictures') + 2 :][: len(CLASSES)]
    assert len(set(legend) & set(CLASSES)) >= 2  # before the pictures, what their colours are
    assert '--colour:#' in page.read_text().partition('Worst pictures')[2]


def test_a_classifier(classifier: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / 'cls.html'
    evaluate(classifier[1], classifier[0], page=page)
    assert {'Scores', 'Classes', 'Precision and recall', 'Confusion'} <= set(Reader(page.read_text()).texts)


def test_another_file_is_not_replaced(classifier: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / 'cls.html'
    page.write_text('<meta name="generator" content="mobileone_mm">')  # the page of an export
    with pytest.raises(UsageError, match='this file is not a page about an evaluation'):
        evaluate(classifier[1], classifier[0], limit=1, page=page)
    assert page.read_text() == '<meta name="generator" content="mobileone_mm">'

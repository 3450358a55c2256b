"""The pictures of an export: those that were given, else some of the test data, else a drawn one, and why."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from page_reader import Reader

from mobileone_mm.errors import DataError
from mobileone_mm.exporter.examples import COUNT, DRAWN, Examples, examples_of
from mobileone_mm.exporter.page_pictures import PICTURE_SIDE
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.outputs import page_of
from mobileone_mm.pictures.reading import stretched, write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.detection.task import TASK
from mobileone_mm.tasks.task import Framed
from tiny_detector import CLASSES, SIZE, export_tiny

ORIGINAL = (160, 120)  # of the pictures: another shape
CONFIG = """
_base_ = '{base}'
test_dataloader = dict(
    dataset=dict(data_root='{root}', ann_file='test.json', data_prefix=dict(img=''), test_mode=True)
)
test_evaluator = dict(type='CocoMetric', ann_file='{root}/test.json', metric='bbox')
"""

WithData = Callable[[int], Path]


def shifted(index: int) -> 'np.ndarray':  # type: ignore[type-arg]
    return np.roll(drawn_picture(ORIGINAL), 7 * index, 1)


def boxes_of(index: int) -> list[tuple[list[int], int, int]]:
    """Left, top, width, height in px of the file; class; whether it is a crowd, which no detector has to find."""
    return [([16, 12, 80, 60], index % 3, 0), ([0, 0, 8, 8], 0, 1)]


@pytest.fixture
def with_data(detector: tuple[Path, Path], tmp_path: Path) -> WithData:
    """Make a config of the tiny detector with so many pictures as its test data."""

    def make(count: int) -> Path:
        images, annotations = [], []
        for index in range(count):
            write_picture(tmp_path / f'{index}.png', shifted(index))
            images.append({'id': index, 'file_name': f'{index}.png', 'width': ORIGINAL[0], 'height': ORIGINAL[1]})
            for box, label, crowd in boxes_of(index):
                fields = {'bbox': box, 'category_id': label + 1, 'iscrowd': crowd, 'area': box[2] * box[3]}
                annotations.append({'id': len(annotations) + 1, 'image_id': index, **fields})
        categories = [{'id': label + 1, 'name': name} for label, name in enumerate(CLASSES)]
        told = {'images': images, 'annotations': annotations, 'categories': categories}
        (tmp_path / 'test.json').write_text(json.dumps(told))
        (tmp_path / 'with_data.py').write_text(CONFIG.format(base=detector[0], root=tmp_path))
        return tmp_path / 'with_data.py'

    return make


def examples(config: Path, images: Sequence[Path] = ()) -> Examples:
    return examples_of(images, load_config(config), TASK, Framed(None, SIZE))


def test_pictures_of_the_test_data_are_spread_over_it_and_have_their_annotations(with_data: WithData) -> None:
    made = examples(with_data(9))
    assert made.names == ('0.png', '2.png', '4.png', '6.png')
    assert (made.source, made.lacking) == (f"{COUNT} pictures of the config's test data", '')
    for index, picture, canvas, truth in zip(range(0, 8, 2), made.pictures, made.canvases, made.truths, strict=True):
        np.testing.assert_array_equal(picture, stretched(shifted(index), SIZE))
        assert canvas.shape == (PICTURE_SIDE * ORIGINAL[1] // ORIGINAL[0], PICTURE_SIDE, 3)
        np.testing.assert_allclose(truth.boxes, [[0.1, 0.1, 0.6, 0.6]])
        assert truth.labels.tolist() == [index % 3]
        assert np.isnan(truth.scores).all()


@pytest.mark.parametrize(('count', 'source'), [(1, "1 picture of the config's test data"), (3, '3 pictures of ')])
def test_of_few_pictures_all_are_taken(count: int, source: str, with_data: WithData) -> None:
    made = examples(with_data(count))
    assert made.names == tuple(f'{index}.png' for index in range(count))
    assert made.source.startswith(source)


def test_those_that_were_given_are_taken_instead(with_data: WithData, tmp_path: Path) -> None:
    config = with_data(3)
    made = examples(config, [tmp_path / '2.png', tmp_path / '1.png'])
    assert (made.names, made.truths) == (('2.png', '1.png'), (None, None))
    assert (made.source, made.lacking) == ('2 pictures given', '')
    np.testing.assert_array_equal(made.pictures[0], stretched(shifted(2), SIZE))


def test_one_that_was_given_and_cannot_be_read_is_an_error(detector: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'none\.png'):
        examples(detector[0], [tmp_path / 'none.png'])


def nothing_more(_config: Path) -> None:
    pass


def without_annotations(config: Path) -> None:
    (config.parent / 'test.json').unlink()


def without_a_picture(config: Path) -> None:
    (config.parent / '0.png').unlink()


@pytest.mark.parametrize(
    ('count', 'spoil', 'why'),
    [
        (0, nothing_more, r'test_dataloader\.dataset cannot be built'),
        (2, without_annotations, r'test\.json: not there, seen from '),
        (2, without_a_picture, r'0\.png'),
    ],
    ids=['none', 'no annotations', 'no picture'],
)
def test_test_data_that_cannot_be_used_stops_no_export(
    count: int, spoil: Callable[[Path], None], why: str, with_data: WithData, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, 'mobileone_mm')
    config = with_data(count)
    spoil(config)
    made = examples(config)
    assert (made.names, made.source) == ((DRAWN,), DRAWN)
    np.testing.assert_array_equal(made.pictures[0], drawn_picture(SIZE))
    assert made.lacking.startswith('no picture of the test data can be used: ')
    (said,) = (record.getMessage() for record in caplog.records if record.name.startswith('mobileone_mm'))
    assert said == f'checked on a drawn picture, real ones say more (`images`): {made.lacking}'
    assert '\n' not in said
    assert re.search(why, made.lacking)


def test_an_export_is_checked_on_them_and_its_page_shows_them(
    with_data: WithData, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    report = export_tiny((with_data(2), detector[1]), tmp_path / 'd.onnx')
    assert report.pictures == "2 pictures of the config's test data"
    reader = Reader(page_of(report.artifact).read_text(encoding='utf-8'))
    assert len(reader.images) == 6
    titles = ['ground truth', 'trained model', 'exported file']
    assert [text for text in reader.texts if text in titles] == 2 * titles
    assert 'Real pictures say more.' not in reader.texts

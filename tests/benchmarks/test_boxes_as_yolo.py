"""Boxes as Ultralytics reads them."""

from pathlib import Path

import pytest
import yaml
from own_folders import write_voc

import boxes_as_yolo
from mobileone_mm.errors import UsageError
from mobileone_mm.setup.by_layout import propose
from mobileone_mm.setup.proposal import Wishes


def test_a_box_is_its_class_and_centre_width_and_height_as_fractions() -> None:
    info = {
        'width': 200,
        'height': 100,
        'instances': [
            {'bbox': [20, 10, 60, 60], 'bbox_label': 2, 'ignore_flag': 0},
            {'bbox': [0, 0, 9, 9], 'bbox_label': 1, 'ignore_flag': 1},
        ],
    }
    assert boxes_as_yolo.text_of(info) == '2 0.200000 0.350000 0.200000 0.500000\n'


def test_a_set_becomes_a_folder_of_links_and_labels_twice_over(tmp_path: Path) -> None:
    root = write_voc(tmp_path / 'set')
    config, out = tmp_path / 'own.py', tmp_path / 'out'
    config.write_text(propose(str(root), Wishes()).text)
    for _ in range(2):
        assert boxes_as_yolo.main([str(config), '--out', str(out)]) == 0
    for part, count in (('train', 6), ('val', 2)):
        pictures = sorted((out / 'images' / part).iterdir())
        assert len(pictures) == count
        assert all(picture.resolve().parent == (root / 'JPEGImages').resolve() for picture in pictures)
        assert {path.stem for path in (out / 'labels' / part).iterdir()} == {picture.stem for picture in pictures}
    content = yaml.safe_load((out / 'data.yaml').read_text())
    assert (content['train'], content['val'], len(content['names'])) == ('images/train', 'images/val', 2)
    with pytest.raises(UsageError, match="not a folder of the benchmark 'boxes_as_yolo'"):
        boxes_as_yolo.main([str(config), '--out', str(root)])

"""The page about a segmenter's export."""

from pathlib import Path

from page_reader import Reader

from mobileone_mm.exporter.export import export
from mobileone_mm.outputs import page_of
from mobileone_mm.pictures.colours import distinct_colours, hexadecimal
from tiny_segmenter import CLASSES


def test_it_shows_checks_scores_of_classes_and_maps(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    report = export(*segmenter, tmp_path / 'seg.mlpackage', evaluate=True, options={'map_stride': 2})
    html = page_of(report.artifact).read_text()
    texts = Reader(html).texts
    for text in ('Same as the model you trained: yes', 'mIoU', 'IoU of each class', 'ground truth', *CLASSES):
        assert any(text in one for one in texts), text
    assert texts[texts.index('Map stride') + 1] == '2'
    assert 'Outputs' not in texts
    for colour in distinct_colours(len(CLASSES)):
        assert f'--colour:{hexadecimal(colour)}' in html
    assert html.count('data:image/jpeg') == 3 * 3, 'a mask, the model and the file, for each picture'
    assert 'VisionSegmenter' in html

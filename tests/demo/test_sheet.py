"""The sheet of pictures: pairs in rows, a line above them."""

from pathlib import Path

import numpy as np

from mobileone_mm.demo.sheet import GAP, HEADER, PANEL, write_sheet
from mobileone_mm.pictures.drawing import SEAM
from mobileone_mm.pictures.reading import Picture, read_picture


def pair(number: int) -> tuple[Picture, Picture]:
    left, right = (np.full((PANEL, PANEL, 3), 10 * number + side, np.uint8) for side in (1, 2))
    return left, right


def test_rows_of_three_each_pair_side_by_side(tmp_path: Path) -> None:
    write_sheet(tmp_path / 'sheet.png', [pair(number) for number in range(4)], 'what is where')
    sheet = read_picture(tmp_path / 'sheet.png')
    across = 2 * PANEL + SEAM + GAP
    assert sheet.shape == (HEADER + 2 * (PANEL + GAP), GAP + 3 * across, 3)
    for number, (row, column) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0)]):
        top, left = HEADER + row * (PANEL + GAP), GAP + column * across
        panels = sheet[top : top + PANEL, left : left + 2 * PANEL + SEAM]
        assert (panels[:, :PANEL] == 10 * number + 1).all()
        assert (panels[:, PANEL + SEAM :] == 10 * number + 2).all()
        assert (panels[:, PANEL : PANEL + SEAM] == 255).all()


def test_the_header_stands_above_every_column_that_is_there(tmp_path: Path) -> None:
    for count, columns in ((1, 1), (2, 2), (5, 3)):
        write_sheet(tmp_path / 'sheet.png', [pair(number) for number in range(count)], 'what is where')
        header = read_picture(tmp_path / 'sheet.png')[:HEADER]
        across = 2 * PANEL + SEAM + GAP
        assert header.shape[1] == GAP + columns * across
        assert all((header[:, GAP + column * across :][:, :across] < 128).any() for column in range(columns))

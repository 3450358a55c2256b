"""The marks by which an output is known again: read by nobody else, and lost by no reader."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mobileone_mm import outputs
from mobileone_mm.atomic import Kind
from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import DRAWING, PREDICTIONS, REPORT, WEIGHTS, mark_folder, require_outputs, signed_jpeg
from mobileone_mm.weights.checkpoint import read_checkpoint, save_checkpoint


@pytest.mark.parametrize('meta', [None, {'epoch': 1}])
def test_a_signed_weight_file_is_what_torch_loads(meta: dict[str, int] | None, tmp_path: Path) -> None:
    state = {'a': torch.randn(100, 100), 'b': torch.randn(3)}
    path = tmp_path / 'a.pth'
    save_checkpoint(path, state, meta)
    assert WEIGHTS.ours(path)
    for mapped in (False, True):
        loaded = torch.load(path, weights_only=True, mmap=mapped)  # noqa: TID251
        torch.testing.assert_close(loaded if meta is None else loaded['state_dict'], state, rtol=0, atol=0)
    torch.testing.assert_close(read_checkpoint(path).state_dict, state, rtol=0, atol=0)
    torch.save(state, path)
    assert not WEIGHTS.ours(path)


@pytest.mark.parametrize('parameters', [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_a_signed_jpeg_is_the_same_picture(parameters: list[int], tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    plain, signed = tmp_path / 'plain.jpg', tmp_path / 'signed.jpg'
    assert cv2.imwrite(str(plain), picture, parameters)
    signed.write_bytes(signed_jpeg(plain.read_bytes()))
    assert (DRAWING.ours(plain), DRAWING.ours(signed)) == (False, True)
    np.testing.assert_array_equal(cv2.imread(str(signed)), cv2.imread(str(plain)))
    with Image.open(signed) as one, Image.open(plain) as other:
        np.testing.assert_array_equal(one, other)
        assert one.info['comment'] == outputs.SIGNATURE


def test_a_report_of_any_content_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / 'r.json'
    for report in ({'a': 1}, {'a': {'b': [None]}, 'z': '"'}):
        path.write_text(outputs.report_text(report))
        assert REPORT.ours(path)
    path.write_text('{\n  "a": {\n  "written_by": "mobileone_mm 1"}}')
    assert not REPORT.ours(path)


def test_what_is_free_or_ours_passes(tmp_path: Path) -> None:
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'ours').mkdir()
    mark_folder(tmp_path / 'ours', 'predictions')
    (tmp_path / 'ours/mine.txt').write_text('kept')
    (tmp_path / 'ours/r.json').write_text(outputs.report_text({'a': 1}))
    (tmp_path / 'input').write_text('read')
    report = (tmp_path / 'ours/r.json', REPORT)
    for name in ('new', 'empty', 'ours'):
        require_outputs(
            [(tmp_path / name, PREDICTIONS), report, (None, REPORT)], [tmp_path / 'input', 'https://a/b.pth']
        )


@pytest.mark.parametrize('name', ['a', './a', 'link', 'hard', 'folder/../a'])
def test_two_outputs_are_two_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    anything = Kind('anything', lambda path: True)
    Path('folder').mkdir()
    if name == 'hard':
        Path('a').touch()
        Path('hard').hardlink_to('a')
    Path('link').symlink_to('a')
    require_outputs([('a', anything), ('b', anything)], [])
    with pytest.raises(UsageError, match='named for two outputs; choose another path for one of them'):
        require_outputs([('a', anything), (name, anything)], [])

"""The served `mmcv._ext`: its nms against the definition, what is not served, and when it stands back."""

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import mmcv.ops
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mobileone_mm.openmmlab.mmcv_ext import MissingOpError, nms

Boxes = NDArray[np.float32]


def nms_by_definition(boxes: Boxes, scores: NDArray[np.generic], threshold: float, offset: int) -> list[int]:
    """Greedy suppression, one pair at a time, in float32 as mmcv's kernel computes it."""
    limit, zero, one = np.float32(threshold), np.float32(0), np.float32(offset)
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + one) * (y2 - y1 + one)
    kept: list[int] = []
    for row in np.argsort(-scores.astype(np.float64), kind='stable').tolist():
        for winner in kept:
            width = max(zero, min(x2[winner], x2[row]) - max(x1[winner], x1[row]) + one)
            height = max(zero, min(y2[winner], y2[row]) - max(y1[winner], y1[row]) + one)
            shared = width * height
            union = area[winner] + area[row] - shared
            if union != 0 and shared / union > limit:
                break
        else:
            kept.append(row)
    return kept


def served(boxes: Boxes, scores: NDArray[np.generic], threshold: float, offset: int) -> list[int]:
    kept: list[int] = nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold, offset).tolist()
    return kept


def random_boxes(rng: np.random.Generator, count: int, *, whole: bool) -> Boxes:
    """Boxes of 0-40 px in a field that crowds them; whole pixels give many equal boxes and IoUs on the threshold."""
    top_left = rng.uniform(-20, 60, (count, 2))
    boxes = np.concatenate([top_left, top_left + rng.uniform(0, 40, (count, 2))], axis=1)
    return (boxes.round() if whole else boxes).astype(np.float32)


# Whole pixels keep every width exact: a difference is then one of rules, not of rounding. The last row rounds: its
# boxes are fractions, but with offset 0 both sides compute the same float32 operations.
@pytest.mark.parametrize(('whole', 'offset'), [(True, 0), (True, 1), (False, 0)])
@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.45, 0.5, 0.6, 0.9, 1.0])
def test_nms_keeps_what_the_definition_keeps(threshold: float, whole: bool, offset: int) -> None:
    rng = np.random.default_rng([int(threshold * 100), offset, whole])
    for count in (1, 2, 17, 150, 150):
        boxes = random_boxes(rng, count, whole=whole)
        scores = rng.random(count).astype(np.float32)
        assert served(boxes, scores, threshold, offset) == nms_by_definition(boxes, scores, threshold, offset)


def test_nms_of_fractions_with_offset_one_differs_by_no_more_than_rounding() -> None:
    rng = np.random.default_rng(7)
    boxes, scores = random_boxes(rng, 300, whole=False), rng.random(300).astype(np.float32)
    assert served(boxes, scores, 0.5, 1) == nms_by_definition(boxes, scores, 0.5, 1)


@pytest.mark.parametrize(
    ('boxes', 'scores', 'threshold', 'offset', 'kept'),
    [
        ([], [], 0.5, 0, []),  # nothing in, nothing out
        ([[0, 0, 9, 9]], [0.1], 0.5, 0, [0]),
        ([[0, 0, 9, 9]] * 3, [0.5, 0.5, 0.5], 0.5, 0, [0]),  # a tie: the first one stays
        ([[0, 0, 9, 9], [20, 0, 29, 9], [0, 0, 9, 9]], [0.5] * 3, 0.5, 0, [0, 1]),  # ties keep their order
        ([[0, 0, 10, 10], [0, 0, 10, 10]], [0.2, 0.9], 0.5, 0, [1]),  # the better one stays, wherever it stands
        ([[0, 0, 2, 1], [0, 0, 1, 1]], [0.9, 0.8], 0.5, 0, [0, 1]),  # IoU 1/2 is not above 0.5
        ([[0, 0, 5, 1], [0, 0, 3, 1]], [0.9, 0.8], 0.6, 0, [0, 1]),  # IoU 3/5 is not above 0.6 rounded to float32
        ([[0, 0, 1, 1], [0, 0, 2, 1]], [0.9, 0.8], 0.6, 0, [0, 1]),  # IoU 1/2 by corners ...
        ([[0, 0, 1, 1], [0, 0, 2, 1]], [0.9, 0.8], 0.6, 1, [0]),  # ... and 4/6 by whole pixels
        ([[3, 3, 3, 3], [3, 3, 3, 3]], [0.9, 0.8], 0.5, 0, [0, 1]),  # no area, no IoU
        ([[3, 3, 3, 3], [3, 3, 3, 3]], [0.9, 0.8], 0.5, 1, [0]),  # one pixel each
    ],
)
def test_nms_by_hand(
    boxes: list[list[float]], scores: list[float], threshold: float, offset: int, kept: list[int]
) -> None:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    assert served(array, np.array(scores, np.float32), threshold, offset) == kept
    assert nms_by_definition(array, np.array(scores, np.float32), threshold, offset) == kept


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64, torch.int32])
def test_scores_may_be_of_any_dtype(dtype: torch.dtype) -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [50, 50, 60, 60]])
    assert nms(boxes, torch.tensor([1, 3, 2]).to(dtype), 0.5, 0).tolist() == [1, 2]


def test_scores_are_compared_in_their_own_dtype() -> None:
    scores = torch.tensor([0.5, 0.5 + 1e-12], dtype=torch.float64)  # one float32, two float64
    assert nms(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9]]), scores, 0.5, 0).tolist() == [1]


def test_the_input_is_left_alone() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9]], requires_grad=True)
    before = boxes.detach().clone()
    kept = nms(boxes, torch.tensor([0.1, 0.9]), 0.5, 1)
    torch.testing.assert_close(boxes.detach(), before, rtol=0, atol=0)
    assert (kept.dtype, kept.requires_grad) == (torch.int64, False)


@pytest.mark.parametrize(
    ('boxes', 'scores', 'message'),
    [
        (torch.zeros(2, 4, dtype=torch.float16), torch.zeros(2), r'boxes of torch\.float16 given, torch\.float32 exp'),
        (torch.zeros(2, 4, dtype=torch.float64), torch.zeros(2), r'boxes of torch\.float64 given, torch\.float32 exp'),
        (torch.zeros(2, 4, device='meta'), torch.zeros(2), 'boxes on meta and scores on cpu; one device expected'),
        (torch.zeros(2, 5), torch.zeros(2), r'boxes \(2, 5\) and scores \(2,\) given; \(N, 4\) and \(N,\) expected'),
        (torch.zeros(2, 4), torch.zeros(3), r'boxes \(2, 4\) and scores \(3,\) given'),
    ],
)
def test_what_a_compiled_nms_refuses_is_refused(boxes: torch.Tensor, scores: torch.Tensor, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        nms(boxes, scores, 0.5, 0)


def test_batched_nms_of_mmcv_suppresses_within_a_class_only() -> None:
    rng = np.random.default_rng(3)
    boxes, scores = random_boxes(rng, 400, whole=True), rng.random(400).astype(np.float32)
    labels = rng.integers(0, 3, 400)
    expected = []
    for label in range(3):
        rows = np.flatnonzero(labels == label)
        expected += rows[nms_by_definition(boxes[rows], scores[rows], 0.45, 0)].tolist()
    dets, kept = mmcv.ops.batched_nms(
        torch.from_numpy(boxes),
        torch.from_numpy(scores),
        torch.from_numpy(labels),
        {'type': 'nms', 'iou_threshold': 0.45},
    )
    assert kept.tolist() == sorted(expected, key=lambda row: -scores[row])
    np.testing.assert_array_equal(dets.numpy(), np.column_stack([boxes, scores])[kept])


def test_mmcv_nms_takes_arrays_a_score_threshold_and_a_limit() -> None:
    boxes = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9], [60, 0, 69, 9]], np.float32)
    dets, kept = mmcv.ops.nms(boxes, np.array([0.1, 0.9, 0.5, 0.7], np.float32), 0.5, score_threshold=0.2, max_num=2)
    assert kept.tolist() == [1, 3]
    assert dets[:, 4].tolist() == pytest.approx([0.9, 0.7])


def test_an_op_that_is_not_served_says_so_when_it_is_called() -> None:
    rois = torch.tensor([[0.0, 0, 0, 4, 4]])
    with pytest.raises(MissingOpError, match=r"'roi_align_forward': not served .* compiled mmcv see docs/install\.md"):
        mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), rois, (2, 2))


def test_mmcv_says_who_serves_it() -> None:
    assert 'served by mobileone_mm' in mmcv.ops.get_compiler_version()


# A fresh interpreter for what happens at start-up.

FAKE_MMCV = {'mmcv/__init__.py': ''}


def python(code: str, *options: str, path: Path | None = None) -> 'subprocess.CompletedProcess[str]':
    """Run `code` in a fresh interpreter away from the clone, with `path` in front of site-packages."""
    front = f'import sys; sys.path.insert(0, {str(path)!r})\n' if path else ''
    return subprocess.run(
        [sys.executable, *options, '-c', front + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=path or '/',
    )


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def output(done: 'subprocess.CompletedProcess[str]') -> Sequence[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_extension_is_there_without_importing_us(tmp_path: Path) -> None:
    code = """
        import importlib.util, mmcv._ext
        print(mmcv._ext.__spec__.origin, importlib.util.find_spec('mmcv._ext').loader is not None)
        print('torch' in sys.modules)
    """
    assert output(python(code, path=write(tmp_path, FAKE_MMCV))) == ['mobileone_mm.openmmlab.mmcv_ext True', 'False']


def test_the_hosts_see_an_extension() -> None:
    code = 'import mmengine.utils.dl_utils as m; print(m.mmcv_full_available())'
    assert output(python(code, '-W', 'ignore')) == ['True']


def test_a_compiled_extension_wins(tmp_path: Path) -> None:
    files = {**FAKE_MMCV, 'mmcv/_ext.py': 'nms = "compiled"\n'}
    code = 'import mmcv._ext; print(mmcv._ext.nms, mmcv._ext.__spec__.origin.endswith("_ext.py"))'
    assert output(python(code, path=write(tmp_path, files))) == ['compiled True']


def test_a_compiled_extension_that_does_not_load_is_not_papered_over(tmp_path: Path) -> None:
    files = {**FAKE_MMCV, 'mmcv/_ext.py': 'raise ImportError("undefined symbol: _ZN3c10")\n'}
    done = python('import mmcv._ext', path=write(tmp_path, files))
    assert done.returncode == 1
    assert 'undefined symbol' in done.stderr


def test_nothing_but_the_one_name_is_answered(tmp_path: Path) -> None:
    code = """
        import importlib.util
        print([importlib.util.find_spec(name) for name in ('mmcv._ext2', '_ext')])
    """
    assert output(python(code, path=write(tmp_path, FAKE_MMCV))) == ['[None, None]']


def test_without_the_package_the_extension_is_missing_as_before(tmp_path: Path) -> None:
    files = {**FAKE_MMCV, 'mobileone_mm/__init__.py': ''}  # hides ours: it has no openmmlab
    done = python('import mmcv._ext', path=write(tmp_path, files))
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'mmcv._ext'" in done.stderr


def test_starting_an_interpreter_loads_one_small_module_more() -> None:
    code = 'import sys; print(sorted(name for name in sys.modules if "mobileone" in name))'
    assert output(python(code)) == ["['_mobileone_mm_startup']"]
    before = set(output(python('import sys; print("\\n".join(sys.modules))', '-S')))
    heavy = {'torch', 'numpy', 'typing', 'importlib.abc', 'mobileone_mm'}
    after = set(output(python('import sys; print("\\n".join(sys.modules))')))
    assert '_mobileone_mm_startup' in after - before
    assert not heavy & after

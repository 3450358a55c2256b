"""What a result is held against: readers and results that the changed file had no part in."""

import ast
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-3  # px of a box and share of a score: predictions.json rounds to two and four places
ROOT = Path(__file__).parents[2]


def readable(folder: Path) -> str | None:
    """Whether every file that a command may write can be read by what others read it with."""
    for path in sorted(folder.rglob('*')):
        reader = READERS.get(path.suffix)
        if path.is_symlink() or reader is None or not path.is_file() or 'vis_data' in path.parts:  # mmengine's, lines
            continue
        try:
            reader(path)
        except Exception as error:
            return f'{path.relative_to(folder)} cannot be read: {type(error).__name__}: {error}'
    return None


def _weights(path: Path) -> None:
    assert zipfile.ZipFile(path).testzip() is None, 'a record is damaged'


def _onnx(path: Path) -> None:
    import onnx

    onnx.checker.check_model(onnx.load(path))


def _program(path: Path) -> None:
    from coremltools.proto.Model_pb2 import Model

    Model.FromString(path.read_bytes())


READERS: Mapping[str, Callable[[Path], object]] = {
    '.json': lambda path: json.loads(path.read_text()),
    '.mlmodel': _program,
    '.onnx': _onnx,
    '.pth': _weights,
    '.py': lambda path: ast.parse(path.read_bytes()),
}


def tensors(path: Path) -> dict[str, Any]:
    """The tensors of a weight file, as torch's own reader gives them."""
    import torch

    contents = torch.load(path, map_location='cpu', weights_only=True)  # noqa: TID251 - not by the reader that is tried
    return dict(contents.get('state_dict', contents))


def same_tensors(name: str, expected: Path) -> Callable[[Path], str | None]:
    """A measure: a weight file in the folder holds exactly the tensors of another."""

    def measure(folder: Path) -> str | None:
        import torch

        found, wanted = tensors(folder / name), tensors(expected)
        if found.keys() != wanted.keys():
            return f'{name} has other names of tensors'
        other = [key for key in wanted if not torch.equal(found[key], wanted[key])]
        return f'{name} has other values in {other[0]}' if other else None

    return measure


def predictions(path: Path) -> list[Any]:
    """What a list of predictions says was found, picture by picture, by the pictures' names."""
    return sorted(
        ({**{k: v for k, v in one.items() if k not in ('file', 'picture')}, 'name': Path(one['file']).name}
         for one in json.loads(path.read_text())['pictures']),
        key=lambda one: one['name'],
    )  # fmt: skip


def same_predictions(folder_name: str, expected: Path, but: Sequence[str] = ()) -> Callable[[Path], str | None]:
    """A measure: the same was found in every picture, those left out that are named."""

    def measure(folder: Path) -> str | None:
        found = {one['name']: one for one in predictions(folder / folder_name / 'predictions.json')}
        for one in predictions(expected):
            name = one['name']
            if name not in but and not _near(found.get(name), one):
                return f'something else is found in {name}'
        return None

    return measure


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE
    return bool(one == other)


def outputs_of(path: Path) -> list[np.ndarray]:
    """What ONNX Runtime gives for a picture of noise."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    feeds = {}
    for one in session.get_inputs():
        shape = [side if isinstance(side, int) else 1 for side in one.shape]
        if len(shape) == 4:
            feeds[one.name] = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    return list(session.run(None, feeds))


def boxes_in_coco(path: Path) -> dict[str, int]:
    """How many boxes of each class a COCO file has that are no crowd and have an area."""
    content = json.loads(path.read_bytes())
    names = {one['id']: one['name'] for one in content['categories']}
    counts = dict.fromkeys(names.values(), 0)
    for one in content['annotations']:
        counts[names[one['category_id']]] += not one.get('iscrowd')
    return counts


def counted_as(report: str, part: str, counts: Callable[[Path], Mapping[str, int]]) -> Callable[[Path], str | None]:
    """A measure: a check counts what another reader counts, or says what it drops."""

    def measure(folder: Path) -> str | None:
        said = json.loads((folder / report).read_text())['parts'][part]['classes']
        found = {name: next(value for key, value in row.items() if key != 'images') if len(row) > 1 else row['images']
                 for name, row in said.items()}  # fmt: skip
        try:
            expected = counts(folder)
        except Exception as error:
            return f'counted {found} in what another reader cannot read: {type(error).__name__}: {error}'
        if found == {name: expected.get(name) for name in found}:
            return None
        told = 'dropped' in (folder.parent / 'log/stderr').read_text()
        if told and all(found[name] <= expected.get(name, 0) for name in found):
            return None
        return f'counted {found}, not {expected}, without a word'

    return measure

"""ONNX files: the same graph in float32, with raw boxes or with suppression behind them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mobileone_mm.artifact.card import CONFIDENCE, IMAGE, ArtifactInfo
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import FLOAT32_LIMITS, Boxes, Rung, row_rungs
from mobileone_mm.pictures.reading import Picture, drawn_picture, read_picture
from mobileone_mm.targets.onnx.contract import check_onnx
from mobileone_mm.targets.onnx.convert import onnxscript, operations, to_onnx
from mobileone_mm.targets.onnx.file import FLOATS, onnx, save_onnx, weights_digest
from mobileone_mm.targets.onnx.file import TARGET as READS
from mobileone_mm.targets.onnx.runner import OnnxModel, onnxruntime, open_onnx
from mobileone_mm.targets.target import Converted, Target
from mobileone_mm.tasks.detection.fingerprint import fingerprint_rungs
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.detection.kept import boxes_of, suppression_rung
from mobileone_mm.tasks.detection.options import DetectorOptions

ONNX_RUNG = 'graph -> saved file, ONNX Runtime'


@contextmanager
def _convert(graph: DetectorGraph, input_size: tuple[int, int], options: DetectorOptions) -> Iterator[Converted]:
    thresholds = (options.iou_threshold, options.confidence_threshold) if options.nms else None
    model = to_onnx(graph, input_size, thresholds)

    def save(info: ArtifactInfo, path: Path) -> None:
        save_onnx(model, info.as_metadata(), path)
        check_onnx(path)

    yield Converted(operations(model), {}, weights_digest(model), save)


def _climb(
    path: Path, info: ArtifactInfo, _graph: DetectorGraph, pictures: Sequence[Picture], raw: Sequence[Boxes]
) -> list[Rung]:
    found = _raw(path, pictures)
    pairs = [(boxes, boxes_of(rows)) for boxes, rows in zip(raw, found, strict=True)]
    return [
        *row_rungs(ONNX_RUNG, pairs, info.input_size, FLOAT32_LIMITS),
        *_suppression_rungs(path, info, pictures, found),
    ]


def _reclimb(path: Path, images: Sequence[str | Path]) -> tuple[ArtifactInfo, list[Rung]]:
    info = check_onnx(path)
    drawn = drawn_picture(info.input_size)
    pictures = [read_picture(image, info.input_size) for image in images] or [drawn]
    (probe,) = _raw(path, [drawn])
    return info, [
        *fingerprint_rungs(info.probe, boxes_of(probe), len(info.classes), info.input_size, FLOAT32_LIMITS),
        *_suppression_rungs(path, info, pictures, _raw(path, pictures)),
    ]


def _raw(path: Path, pictures: Sequence[Picture]) -> list[dict[str, Array]]:
    model = open_onnx(path, raw=True)
    return [model.predict({IMAGE: picture}) for picture in pictures]


def _suppression_rungs(
    path: Path, info: ArtifactInfo, pictures: Sequence[Picture], raw: Sequence[dict[str, Array]]
) -> list[Rung]:
    model = open_onnx(path)
    if CONFIDENCE not in model.outputs:
        return []
    kept = [partial(_predict, model, picture) for picture in pictures]
    return [suppression_rung(list(zip(kept, raw, strict=True)), info)]


def _predict(model: OnnxModel, picture: Picture, thresholds: dict[str, Any]) -> dict[str, Array]:
    return model.predict({IMAGE: picture, **thresholds})


TARGET = Target(
    recognise=None,
    made_with=lambda: (onnx(), onnxruntime(), onnxscript()),
    describe=lambda _: (READS, FLOATS, FLOATS),
    columns=lambda classes, _: len(classes),
    convert=_convert,
    climb=_climb,
    reclimb=_reclimb,
)

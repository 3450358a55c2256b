"""An export, station by station; nobody else knows their order."""

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.config import Config

from mobileone_mm import __version__
from mobileone_mm.artifact import ladder
from mobileone_mm.artifact.card import SCALE_FILL, ArtifactInfo
from mobileone_mm.artifact.ladder import Boxes, Rung
from mobileone_mm.atomic import replacing, require_writable
from mobileone_mm.cli import say
from mobileone_mm.errors import CheckpointError, ConfigError, UsageError
from mobileone_mm.evaluation import detection
from mobileone_mm.evaluation.scores import Scores
from mobileone_mm.exporter import verify
from mobileone_mm.exporter.page import Pair, require_page, write_page
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, Parity
from mobileone_mm.pictures import reading
from mobileone_mm.pictures.drawing import supervision
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.reparam import fuse_checked
from mobileone_mm.targets.by_ending import target_of
from mobileone_mm.targets.coreml.package import size_of
from mobileone_mm.targets.opening import open_artifact
from mobileone_mm.targets.target import Converted, Target
from mobileone_mm.tasks.detection.agreement import found_by_both
from mobileone_mm.tasks.detection.detections import Rules, of_artifact, of_boxes
from mobileone_mm.tasks.detection.fingerprint import fingerprint
from mobileone_mm.tasks.detection.graph import DetectorGraph, require_ssd
from mobileone_mm.tasks.detection.options import DetectorOptions, require_output
from mobileone_mm.threads import one_thread
from mobileone_mm.weights.checkpoint import Checkpoint

PAGE = 'report.html'
MOST_BOXES = 200  # a picture, in the report


def export(
    config_path: str | Path,
    checkpoint_path: str | Path,
    options: DetectorOptions,
    out: str | Path,
    images: Sequence[str | Path] = (),
    evaluate: bool = False,
    limit: int | None = None,
) -> Report:
    """Write a checked detector from a config and its checkpoint, trained or fused; the ending of `out` is the format.

    `images` are what the ladder is climbed on; without any, a drawn picture. What stood at `out` before is replaced
    only when every check has passed. `report.html` is written beside it. With `evaluate`, it is scored then on the
    config's test data, or their first `limit` pictures.

    Raises:
        UsageError: `out` or an option is wrong.
        ConfigError: the config is unreadable, no SSD, or has no fixed input size.
        CheckpointError: the checkpoint is unreadable or belongs to something else.
        DataError: a picture cannot be read.
        ParityError: a rung of the ladder is off.
        ExportError: the conversion failed, or the saved file breaks the contract of its format.
    """
    if limit is not None and (limit < 1 or not evaluate):
        raise UsageError(f'--limit {limit}: expected a number of pictures from 1, together with --evaluate')
    out = require_output(out, options)
    target = target_of(out)
    clock = _Clock()
    with clock.station('load', announce=False):  # what is refused is refused here, in one line
        versions = _require_possible(out, target)
        source = _loaded(config_path, checkpoint_path, options.input_size, images)
        if evaluate:
            detection.require_scorable(config_path, limit)
    with clock.station('fuse'), one_thread():
        trained = [verify.trained_boxes(source.model.double(), picture) for picture in source.pictures]
        # One picture says all about a fold; the others are for the boxes.
        inputs = _normalised(source.model, source.pictures[0])
        fused, parity = fuse_checked(source.model, inputs, FLOAT64_RELATIVE_LIMIT)
    with clock.station('graph'):
        graph = DetectorGraph(fused.float(), source.size, target.columns(source.classes, options)).eval()
        raw = [verify.graph_boxes(graph, picture, len(source.classes)) for picture in source.pictures]
        rungs = _lower_rungs(source, parity, trained, raw)
    with ExitStack() as room:
        with clock.station('convert'):
            made = room.enter_context(target.convert(graph, source.size, options))
        info = _info(source, options, target, made, graph, rungs, versions)
        with clock.station('save and check'), replacing(out, target.recognise) as fresh:
            made.save(info, fresh)
            rungs += target.climb(fresh, info, graph, source.pictures, raw)
            ladder.require_rungs(rungs)
    scores = _scores(out, config_path, checkpoint_path, limit, clock) if evaluate else None
    report = Report(
        artifact=out,
        info=info,
        rungs=tuple(rungs),
        rows=graph.rows,
        columns=graph.columns,
        operations=made.operations,
        bytes=size_of(out),
        seconds=clock.seconds,
        scores=scores,
    )
    with clock.station('report', announce=False):
        write_page(out.parent / PAGE, report.as_dict(), _found(out, info, source, trained))
    return report


@dataclass(frozen=True)
class _Source:
    """What is exported, and what it is looked at with.

    Attributes:
        config: path of the config.
        checkpoint: the weight file.
        model: the detector, trained or fused.
        classes: in the order of its outputs.
        size: (width, height) in pixels.
        names: of the pictures.
        pictures: of that size.
    """

    config: str
    checkpoint: Checkpoint
    model: Any
    classes: tuple[str, ...]
    size: tuple[int, int]
    names: tuple[str, ...]
    pictures: tuple[Picture, ...]


def _require_possible(out: Path, target: Target) -> dict[str, str]:
    """Refuse what would be found missing when all is done; the versions of what the file will be made with."""
    require_writable(out, target.recognise)
    require_page(out.parent / PAGE)
    supervision()  # draws the page
    return _versions(target.made_with())


def _lower_rungs(source: _Source, parity: Parity, trained: Sequence[Boxes], raw: Sequence[Boxes]) -> list[Rung]:
    pairs = list(zip(trained, raw, strict=True))
    rungs = [verify.fused_rung(parity, source.checkpoint.form), *verify.graph_rungs(pairs, source.size)]
    ladder.require_rungs(rungs)
    return rungs


def _loaded(
    config_path: str | Path,
    checkpoint_path: str | Path,
    input_size: tuple[int, int] | None,
    images: Sequence[str | Path],
) -> _Source:
    with configs.quiet():  # mmengine says on stdout which variables a config reads
        config = _ssd_config(config_path)
    size = input_size or reading.input_size_of(config)
    names = [Path(image).name for image in images] or ['a drawn picture']
    pictures = [reading.read_picture(image, size) for image in images] or [reading.drawn_picture(size)]
    model, source = open_model.open_model(config, checkpoint_path)
    classes = _classes(config, model, source)
    _require_divisible(size, model)
    return _Source(str(config_path), source, model, classes, size, tuple(names), tuple(pictures))


def _scores(
    out: Path, config_path: str | Path, checkpoint_path: str | Path, limit: int | None, clock: '_Clock'
) -> Scores:
    with clock.station('score'):
        return detection.evaluate(out, config_path, checkpoint_path, limit)


def _found(out: Path, info: ArtifactInfo, source: _Source, trained: Sequence[Boxes]) -> list[Pair]:
    """What the trained model and the exported file find in the pictures, at the file's own thresholds."""
    rules = Rules(info.confidence_threshold, info.iou_threshold, MOST_BOXES)
    artifact = open_artifact(out)
    return [
        Pair(name, picture, *found_by_both(partial(of_boxes, boxes), partial(of_artifact, artifact, picture), rules))
        for name, picture, boxes in zip(source.names, source.pictures, trained, strict=True)
    ]


def _ssd_config(path: str | Path) -> Config:
    config = configs.load_config(path)
    if configs.task_of(config) != 'detection':
        raise ConfigError(
            f'{path}: a config for {configs.task_of(config)}, expected one for detection: SSD is what is exported'
        )
    head = config.model.get('bbox_head')
    if head is None:
        raise ConfigError(f'{path}: {config.model.get("type")} has no bbox_head, expected an SSD')
    # Before the weights: of another detector's config, it is the first thing to be said.
    model = configs.build_model(config)
    try:
        require_ssd(model)
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from error
    return config


def _classes(config: Config, model: Any, source: Checkpoint) -> tuple[str, ...]:
    classes = configs.class_names(config)
    if len(set(classes)) != len(classes):
        raise ConfigError(f'{config.filename}: a class name stands twice in {classes}')
    if len(classes) != model.bbox_head.num_classes:
        raise ConfigError(
            f'{config.filename}: the data set has {len(classes)} classes, '
            f'bbox_head.num_classes is {model.bbox_head.num_classes}'
        )
    if source.classes and tuple(source.classes) != classes:
        raise CheckpointError(
            f'{source.path}: trained on the classes {tuple(source.classes)}, {config.filename} names {classes}; '
            'export with the config it was trained with'
        )
    return classes


def _require_divisible(size: tuple[int, int], model: Any) -> None:
    divisor = model.data_preprocessor.pad_size_divisor
    if any(side % divisor for side in size):
        raise ConfigError(
            f'input size {size[0]}x{size[1]}: the data preprocessor pads to multiples of {divisor}, which a package '
            'cannot; choose such a size with --input-size'
        )


def _normalised(model: Any, picture: Picture) -> torch.Tensor:
    bgr = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).copy())
    inputs: torch.Tensor = model.data_preprocessor({'inputs': [bgr]})['inputs']
    return inputs.to(next(model.parameters()).dtype)


def _info(
    source: _Source,
    options: DetectorOptions,
    target: Target,
    made: Converted,
    graph: DetectorGraph,
    rungs: Sequence[Rung],
    versions: Mapping[str, str],
) -> ArtifactInfo:
    reads, precision, weights = target.describe(options)
    drawn = verify.graph_boxes(graph, reading.drawn_picture(source.size), len(source.classes))
    return ArtifactInfo(
        task='detection',
        config=source.config,
        checkpoint=str(source.checkpoint.path),
        checkpoint_sha256=source.checkpoint.sha256,
        classes=source.classes,
        input_size=source.size,
        crop=SCALE_FILL,
        clips_to_image=False,
        labels_per_box=1,
        target=reads,
        precision=precision,
        fp32_ops=options.fp32_ops,
        weights=weights,
        iou_threshold=options.iou_threshold,
        confidence_threshold=options.confidence_threshold,
        weights_sha256=made.weights_sha256,
        versions=versions,
        layers=made.layers,
        probe=fingerprint(drawn),
        parity=ladder.as_dicts(rungs),
    )


def _versions(made_with: Sequence[ModuleType]) -> dict[str, str]:
    return {
        'mobileone_mm': __version__,
        'python': platform.python_version(),
        **{name: version(name) for name in ('torch', 'mmdet', 'mmengine')},
        # As it says it itself: it may have been installed under another name, such as onnxruntime-gpu.
        **{module.__name__: module.__version__ for module in made_with},
    }


@dataclass(frozen=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def station(self, name: str, announce: bool = True) -> Iterator[None]:
        """Say on stderr which station begins, if it is to be announced, and how long it took."""
        if announce:
            say(f'{name} ...')
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
        say(f'{name}: {self.seconds[name]:.1f} s')

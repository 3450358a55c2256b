"""An export, station by station; nobody else knows their order."""

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mobileone_mm import __version__, checkpoint, hosts, models
from mobileone_mm.atomic import replacing, require_writable
from mobileone_mm.checkpoint import Checkpoint
from mobileone_mm.cli import say
from mobileone_mm.errors import CheckpointError, ConfigError
from mobileone_mm.export import convert, coreml, probe, saved, verify, vision
from mobileone_mm.export.graphs import DetectorGraph, as_stored, require_ssd
from mobileone_mm.export.info import SCALE_FILL, ArtifactInfo
from mobileone_mm.export.options import DetectorOptions, require_package_path
from mobileone_mm.export.package import size_of
from mobileone_mm.export.probe import Picture
from mobileone_mm.export.verify import Rung
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT
from mobileone_mm.reparam import fuse_checked
from mobileone_mm.threads import one_thread


@dataclass(frozen=True)
class Report:
    """What an export wrote and measured.

    Attributes:
        package: the folder.
        info: its metadata.
        rungs: the ladder, unmade rungs included.
        rows: N, raw boxes a picture.
        columns: K, confidence columns.
        operations: how often each operation stands in the ML program.
        bytes: size of the folder.
        seconds: time of each station.
    """

    package: Path
    info: ArtifactInfo
    rungs: tuple[Rung, ...]
    rows: int
    columns: int
    operations: Mapping[str, int]
    bytes: int
    seconds: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            'package': str(self.package),
            'info': self.info.as_metadata(),
            'ladder': verify.as_dicts(self.rungs),
            'rows': self.rows,
            'columns': self.columns,
            'operations': dict(self.operations),
            'bytes': self.bytes,
            'seconds': dict(self.seconds),
        }


@coreml.workspace()
def export(
    config_path: str | Path,
    checkpoint_path: str | Path,
    options: DetectorOptions,
    out: str | Path,
    images: Sequence[str | Path] = (),
) -> Report:
    """Write a checked Core ML detector from a config and its checkpoint, trained or fused.

    `images` are what the ladder is climbed on; without any, a drawn picture. What stood at `out` before is replaced
    only when every check has passed.

    Raises:
        UsageError: `out` or an option is wrong.
        ConfigError: the config is unreadable, no SSD, or has no fixed input size.
        CheckpointError: the checkpoint is unreadable or belongs to something else.
        DataError: a picture cannot be read.
        ParityError: a rung of the ladder is off.
        ExportError: the conversion failed, or the saved package breaks the contract.
    """
    out = require_package_path(out)
    require_writable(out, _is_package)
    clock = _Clock()
    with clock.station('load', announce=False):  # what is refused is refused here, in one line
        config = _ssd_config(config_path)
        size = options.input_size or probe.input_size_of(config)
        probes = [probe.read_picture(image, size) for image in images] or [probe.drawn_picture(size)]
        model, source = models.open_model(config, checkpoint_path)
        classes = _classes(config, model, source)
        _require_divisible(size, model)
    with clock.station('fuse'), one_thread():
        trained = [verify.trained_boxes(model.double(), picture) for picture in probes]
        # One picture says all about a fold; the others are for the boxes.
        fused, parity = fuse_checked(model, _normalised(model, probes[0]), FLOAT64_RELATIVE_LIMIT)
    with clock.station('graph'):
        columns = vision.columns_for(classes, options)
        graph = DetectorGraph(fused.float(), size, columns).eval()
        raw = [verify.graph_boxes(graph, picture, len(classes)) for picture in probes]
        pairs = list(zip(trained, raw, strict=True))
        rungs = [verify.fused_rung(parity, source.form), *verify.graph_rungs(pairs, size)]
        verify.require_rungs(rungs)
        rounded = as_stored(graph)
        stored = [verify.graph_boxes(rounded, picture, len(classes)) for picture in probes]
    with clock.station('convert'):
        program = convert.to_program(graph, size, options)
    info = _info(config_path, source, classes, size, options, rungs, Path(program.weights_dir))
    with clock.station('save and check'), replacing(out, _is_package) as fresh:
        coreml.save(vision.detector_pipeline(program, info, options), fresh)
        verify.verify(fresh)
        rungs += saved.package_rungs(fresh, info, probes, raw, stored)
        verify.require_rungs(rungs)
    operations = convert.operations(program.get_spec())
    return Report(out, info, tuple(rungs), graph.rows, columns, operations, size_of(out), clock.seconds)


def _is_package(folder: Path) -> bool:
    return {file.name for file in folder.iterdir()} == {'Manifest.json', 'Data'}


def summary(report: Report) -> str:
    """What was written, in two lines."""
    operations = ', '.join(f'{count} {name}' for name, count in sorted(report.operations.items(), key=lambda i: -i[1]))
    width, height = report.info.input_size
    return (
        f'{report.package}: {report.bytes / 1e6:.1f} MB, {report.info.target}, {width}x{height} px, '
        f'{len(report.info.classes)} classes in {report.columns} columns, {report.rows} raw boxes\n'
        f'operations: {operations}'
    )


def _ssd_config(path: str | Path) -> Config:
    config = hosts.load_config(path)
    if hosts.task_of(config) != 'detection':
        raise ConfigError(
            f'{path}: a config for {hosts.task_of(config)}, expected one for detection: SSD is what is exported'
        )
    head = config.model.get('bbox_head')
    if head is None:
        raise ConfigError(f'{path}: {config.model.get("type")} has no bbox_head, expected an SSD')
    # Before the weights: of another detector's config, it is the first thing to be said.
    model = hosts.build_model(config)
    try:
        require_ssd(model)
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from error
    return config


def _classes(config: Config, model: Any, source: Checkpoint) -> tuple[str, ...]:
    classes = hosts.class_names(config)
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
    config_path: str | Path,
    source: Checkpoint,
    classes: tuple[str, ...],
    size: tuple[int, int],
    options: DetectorOptions,
    rungs: Sequence[Rung],
    weights_dir: Path,
) -> ArtifactInfo:
    packages = ('torch', 'coremltools', 'mmdet', 'mmengine')
    return ArtifactInfo(
        task='detection',
        config=str(config_path),
        checkpoint=str(source.path),
        checkpoint_sha256=source.sha256,
        classes=classes,
        input_size=size,
        crop=SCALE_FILL,
        clips_to_image=False,
        labels_per_box=1,
        target=options.target,
        precision=convert.PRECISION,
        iou_threshold=options.iou_threshold,
        confidence_threshold=options.confidence_threshold,
        weights_sha256=checkpoint.file_sha256(weights_dir / 'weight.bin'),
        versions={
            'mobileone_mm': __version__,
            'python': platform.python_version(),
            **{name: version(name) for name in packages},
        },
        parity=verify.as_dicts(rungs),
    )


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

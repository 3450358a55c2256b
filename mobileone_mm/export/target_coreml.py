"""Core ML packages: an ML program with a suppression stage behind it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mobileone_mm.checkpoint import file_sha256
from mobileone_mm.cli import say
from mobileone_mm.export import convert, coreml, saved, vision
from mobileone_mm.export.graphs import DetectorGraph
from mobileone_mm.export.info import ArtifactInfo
from mobileone_mm.export.ladder import Boxes, Rung
from mobileone_mm.export.options import DetectorOptions
from mobileone_mm.export.probe import Picture
from mobileone_mm.export.target import Converted, Target
from mobileone_mm.export.verify import verify


@contextmanager
def _convert(graph: DetectorGraph, input_size: tuple[int, int], options: DetectorOptions) -> Iterator[Converted]:
    with coreml.workspace():  # where the weights lie until they are saved
        made = convert.to_program(graph, input_size, options)

        def save(info: ArtifactInfo, path: Path) -> None:
            coreml.save(vision.detector_pipeline(made.program, info, options), path)
            verify(path)

        yield Converted(
            operations=convert.operations(made.program.get_spec()),
            layers=made.layers,
            weights_sha256=file_sha256(Path(made.program.weights_dir) / 'weight.bin'),
            save=save,
        )


def _climb(
    path: Path, info: ArtifactInfo, graph: DetectorGraph, pictures: Sequence[Picture], raw: Sequence[Boxes]
) -> list[Rung]:
    rungs = saved.package_rungs(path, info, graph, pictures, raw)
    for rung in saved.near_overflow(rungs):
        say(f'warning: {rung.name} is {rung.value:.0f}, {rung.note}')
    return rungs


def _is_package(folder: Path) -> bool:
    return {file.name for file in folder.iterdir()} == {'Manifest.json', 'Data'}


TARGET = Target(
    recognise=_is_package,
    made_with=lambda: (coreml.coremltools(),),
    describe=lambda options: (options.target, options.floats, options.stored),
    columns=vision.columns_for,
    convert=_convert,
    climb=_climb,
    reclimb=saved.reclimb,
)

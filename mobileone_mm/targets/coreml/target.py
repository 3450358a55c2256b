"""Core ML packages: an ML program with a suppression stage behind it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mobileone_mm.artifact.card import ArtifactInfo
from mobileone_mm.artifact.ladder import Boxes, Rung
from mobileone_mm.cli import say
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.targets.coreml import convert, detector, library, rungs
from mobileone_mm.targets.target import Converted, Target
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.detection.options import DetectorOptions
from mobileone_mm.weights.checkpoint import file_sha256


@contextmanager
def _convert(graph: DetectorGraph, input_size: tuple[int, int], options: DetectorOptions) -> Iterator[Converted]:
    with library.workspace():  # where the weights lie until they are saved
        made = convert.to_program(graph, input_size, options)

        def save(info: ArtifactInfo, path: Path) -> None:
            library.save(detector.detector_pipeline(made.program, info, options), path)
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
    climbed = rungs.package_rungs(path, info, graph, pictures, raw)
    for rung in rungs.near_overflow(climbed):
        say(f'warning: {rung.name} is {rung.value:.0f}, {rung.note}')
    return climbed


def _is_package(folder: Path) -> bool:
    return {file.name for file in folder.iterdir()} == {'Manifest.json', 'Data'}


TARGET = Target(
    recognise=_is_package,
    made_with=lambda: (library.coremltools(),),
    describe=lambda options: (options.target, options.floats, options.stored),
    columns=detector.columns_for,
    convert=_convert,
    climb=_climb,
    reclimb=rungs.reclimb,
)

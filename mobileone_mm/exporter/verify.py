"""A saved file again, by itself."""

from collections.abc import Sequence
from pathlib import Path

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import fitted_for
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.pictures.reading import read_picture
from mobileone_mm.targets.by_ending import target_of


def verify(path: str | Path, images: Sequence[str | Path] = ()) -> tuple[Card, list[Rung]]:
    """Judge a saved file by itself: what it says about itself, and checks that need neither config nor checkpoint.

    Args:
        path: a `.mlpackage` or a `.onnx`.
        images: pictures to run it on; without any, a drawn one.

    Raises:
        ExportError: it cannot be opened, or a rule of its format is broken.
        DataError: a picture cannot be read.
        UsageError: the ending is of nothing that is known.
    """
    target = target_of(path)
    opened = target.open(Path(path))
    card = target.check(opened)
    pictures = [fitted_for(read_picture(image), card) for image in images]
    return card, target.recheck(opened, card, pictures)

"""The first augmented pictures of a training, drawn as they come."""

from typing import Any

from mobileone_mm.errors import MobileOneError
from mobileone_mm.inspection.by_task import KINDS
from mobileone_mm.inspection.samples import picture_of
from mobileone_mm.pictures.colours import hexadecimal
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.watching.page import Batches

MOST = 12  # pictures


class FirstBatches:
    """Keeps drawings of the first pictures that a training gets.

    Args:
        task: 'detection', 'segmentation' or 'classification'.
        metainfo: of the data set: the names and colours of its classes.

    Attributes:
        lacking: why nothing is drawn; empty where it is.
    """

    def __init__(self, task: str, metainfo: Any) -> None:
        self._kind = KINDS[task]
        self._names = tuple(metainfo.get('classes') or ())
        self._palette = metainfo.get('palette') or ()
        self._pictures: list[Picture] = []
        self._legend: dict[str, str] = {}
        self.lacking = ''
        try:
            self._kind.require()
        except MobileOneError as error:
            self.lacking = str(error)

    @property
    def full(self) -> bool:
        """Whether no more is drawn."""
        return bool(self.lacking) or len(self._pictures) >= MOST

    def add(self, batch: Any) -> None:
        """Draw the pictures of a batch, as `collate_fn` gives it, as far as they are wanted."""
        room = MOST - len(self._pictures)
        inputs, samples = list(batch['inputs'][:room]), list(batch['data_samples'][:room])
        self._pictures += [
            self._kind.drawn(picture_of(one), sample, self._names, self._palette)
            for one, sample in zip(inputs, samples, strict=True)
        ]
        seen = self._kind.legend(samples, self._names, self._palette)
        self._legend |= {name: hexadecimal(colour) for name, colour in seen}

    def drawn(self) -> Batches | None:
        """What there is so far; None where nothing is drawn."""
        if self.lacking:
            return None
        return Batches(list(self._pictures), self._kind.shown, self._kind.columns < 4, dict(self._legend))

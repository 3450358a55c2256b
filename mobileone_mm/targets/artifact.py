"""What an export wrote, opened: raw outputs for code, and what was found for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.formats import ARTIFACTS
from mobileone_mm.artifact.inputs import CHANNELS, Picture, fitted_for, found
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import DataError, ExportError, UsageError
from mobileone_mm.pictures.reading import read_picture
from mobileone_mm.targets.by_ending import open_saved
from mobileone_mm.targets.target import Saved
from mobileone_mm.tasks.by_name import read_card, task_named


@dataclass(frozen=True)
class Artifact:
    """An opened `.mlpackage` or `.onnx`: Core ML runs a package on macOS, torch elsewhere; ONNX Runtime an ONNX file.

    Attributes:
        saved: the parsed file.
    """

    saved: Saved

    @property
    def path(self) -> Path:
        """The file."""
        return self.saved.path

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself, as it stands there."""
        return self.saved.metadata

    @cached_property
    def card(self) -> Card:
        """The same, read.

        Raises:
            ExportError: none of our exports wrote the file, or not this version's.
        """
        try:
            return read_card(self.metadata)
        except ExportError as error:
            raise ExportError(f'{self.path}: {error}') from error

    @property
    def inputs(self) -> list[str]:
        """Names of what it takes, the picture first."""
        return list(self.saved.runner.inputs)

    def predict(self, inputs: Mapping[str, Any]) -> Outputs:
        """Raw outputs by name, from inputs by name.

        Args:
            inputs: `image`, uint8 RGB (H, W, 3) of the file's input size, and thresholds, which may be left out.

        Raises:
            DataError: the inputs are not what it takes.
        """
        return self.saved.runner.predict(inputs)

    def segment(self, picture: str | Path | Picture) -> Any:
        """The class of each pixel of a picture of any size.

        Args:
            picture: a file, or an array, uint8 RGB (H, W, 3); it is resized as the model was trained.

        Returns:
            int32 (H, W), indices into `card.classes`; each pixel has the class of the nearest one of the model's map.

        Raises:
            DataError: the picture cannot be read, or is no picture.
            ExportError: the file is no segmenter that an export wrote.
        """
        self._require_task('segmentation', 'gives no class map', 'a segmenter')
        predict = task_named(self.card.task).predict
        return self._found(picture, predict.card_rules(self.card))

    def classify(self, picture: str | Path | Picture) -> dict[str, float]:
        """How probable each class is for a picture of any size.

        Args:
            picture: a file, or an array, uint8 RGB (H, W, 3); it is resized and cropped as the model was tested.

        Returns:
            The probability of each class by its name, 0..1, the most probable first.

        Raises:
            DataError: the picture cannot be read, or is no picture.
            ExportError: the file is no classifier that an export wrote.
        """
        self._require_task('classification', 'gives no class of a picture', 'a classifier')
        found: dict[str, float] = self._found(picture, task_named(self.card.task).predict.card_rules(self.card))
        return found

    def detect(
        self,
        picture: str | Path | Picture,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
    ) -> Any:
        """What is found in a picture of any size.

        Args:
            picture: a file, an array, uint8 RGB (H, W, 3), or a `PIL.Image` in mode RGB; it is resized as the model
                was trained.
            score_threshold: boxes below it are dropped, 0..1; None takes the file's own.
            iou_threshold: of two boxes of one class that overlap more, the less sure one goes; None takes the file's.

        Returns:
            Boxes in px of the given picture, scores, classes and their names (`data['class_name']`), the most
            confident first: `supervision.Detections` where supervision is installed, else an object with the same
            attributes `xyxy`, `confidence`, `class_id` and `data`.

        Raises:
            DataError: the picture cannot be read, or is no picture.
            ExportError: the file is no detector that an export wrote.
            UsageError: a threshold is out of range.
        """
        self._require_task('detection', 'finds no boxes', 'a detector')
        predict = task_named(self.card.task).predict
        given = {'score_threshold': score_threshold, 'iou_threshold': iou_threshold}
        rules = predict.changed(predict.card_rules(self.card), {k: v for k, v in given.items() if v is not None})
        return self._found(picture, rules)

    def _require_task(self, task: str, lack: str, expected: str) -> None:
        if self.card.task != task:
            raise ExportError(f'{self.path}: made for {self.card.task}, which {lack}; expected {expected}')

    def _found(self, picture: str | Path | Picture, rules: Any) -> Any:
        predict = task_named(self.card.task).predict
        image = read_picture(picture) if isinstance(picture, (str, Path)) else _checked(picture)
        found = predict.by(self.saved.runner, fitted_for(image, self.card), rules)
        height, width = image.shape[:2]
        return predict.for_person(found, self.card.classes, (width, height))


def _checked(picture: Any) -> Picture:
    if not (hasattr(picture, '__array__') or hasattr(picture, '__array_interface__')):  # Pillow has had either
        raise DataError(f'picture: {type(picture).__name__} given, expected a path, a NumPy array or a PIL.Image')
    mode = getattr(picture, 'mode', None)  # an image's; its array does not tell HSV or Lab from RGB
    picture = np.asarray(picture)
    if isinstance(mode, str) and mode != 'RGB' and picture.shape[2:] == (CHANNELS,):
        raise DataError(f'picture: a PIL.Image in mode {mode} given, expected mode RGB; convert it: .convert("RGB")')
    if picture.ndim != 3 or picture.shape[2] != CHANNELS or picture.dtype != np.uint8 or not picture.size:
        raise DataError(f'{found("picture", picture)}, expected uint8 RGB of shape (height, width, {CHANNELS})')
    checked: Picture = picture
    return checked


def open_artifact(path: str | Path) -> Artifact:
    """Open what an export wrote: a `.mlpackage` or a `.onnx`.

    Raises:
        UsageError: it is no path, or its ending is of nothing that is known.
        ExportError: it cannot be read or run, or holds the weights of another.
    """
    if not isinstance(path, str | Path):
        raise UsageError(f'{path!r} given, expected the path of a {" or ".join(ARTIFACTS)}')
    artifact = Artifact(open_saved(path))
    artifact.inputs  # noqa: B018 - a file that cannot be run is refused now
    return artifact

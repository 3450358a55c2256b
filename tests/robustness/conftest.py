"""A tiny classifier of ImageNet's 1000 classes, trained by nobody, and sets that it is known to be right on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mobileone_mm.pictures.reading import Picture, channels_swapped
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.robustness.synsets import synsets
from tiny_classifier import model_of, new_classifier

PIPELINE = "dict(type='ResizeEdge', scale=256, edge='short'), dict(type='CenterCrop', crop_size=224)"


@dataclass(frozen=True)
class Classifier:
    """The classifier's files, and what mmpretrain's own model says of a picture that it sees whole."""

    config: Path
    weights: Path
    ranked: Callable[[Picture], list[int]]


@pytest.fixture(scope='session')
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp('imagenet')
    config, weights = new_classifier(folder, classes=tuple(IMAGENET_CATEGORIES), pipeline=PIPELINE)
    model = model_of((config, weights))

    def ranked(picture: Picture) -> list[int]:
        """ImageNet's labels, the best first."""
        planes = torch.from_numpy(channels_swapped(picture).transpose(2, 0, 1).copy())
        with torch.no_grad():
            (logits,) = model(model.data_preprocessor({'inputs': [planes]})['inputs'], mode='tensor')
        places: list[int] = (-logits).argsort(stable=True).tolist()
        return places

    return Classifier(config, weights, ranked)


def picture(seed: int, width: int = 224, height: int = 224) -> Picture:
    """A drawn picture, other for each seed."""
    drawn = np.roll(drawn_picture((width, height)), (13 * seed, 29 * seed), (0, 1))
    return np.roll(drawn, seed, axis=2) // (1 + seed % 3)


def place(root: Path, classifier: Classifier, classes: Sequence[str], ranks: Sequence[int], first: int = 0) -> Path:
    """Write a picture for each rank into the folder of the class that the classifier gives that rank among `classes`.

    The pictures are 256 px wide and high with what the classifier sees, 224 px, in the middle, so that nothing is
    resized.
    """
    labels = [synsets().index(name) for name in classes]
    for number, rank in enumerate(ranks, first):
        whole = picture(number, 256, 256)
        best = [label for label in classifier.ranked(whole[16:240, 16:240]) if label in set(labels)]
        write(root / synsets()[best[rank]] / f'{number}.png', whole)
    return root


def write(path: Path, image: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), channels_swapped(image))
    return path

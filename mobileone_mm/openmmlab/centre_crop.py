"""The part of a picture that a test pipeline cuts out of its middle, whatever transforms do so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mobileone_mm.openmmlab.test_data import test_pipeline

PADDING = 32  # px, EfficientNetCenterCrop's where a config gives none


@dataclass(frozen=True)
class CentreCrop:
    """How a test pipeline brings pictures of any size to one, their aspect ratio kept.

    Attributes:
        short: px of the shorter side after the resize.
        side: px of the square that is then cut out of the middle.
    """

    short: int
    side: int

    @property
    def in_two_steps(self) -> bool:
        """Whether cutting the whole shorter side out first, and the square out of that, gives the same pixels.

        Both steps round a half to the even number, which adds up alike if the second cuts off an even number of px on
        each side; otherwise some pictures, such as those whose longer side is longer by an odd number, differ by one.
        """
        return (self.short - self.side) % 4 == 0


def centre_crop_of(config: Config) -> CentreCrop | None:
    """What the config's test pipeline cuts out of the middle; None where it cuts no square out after such a resize."""
    match sizing_steps(test_pipeline(config)):
        case [('ResizeEdge', resize), ('CenterCrop', cut)] if resize.get('edge', 'short') == 'short':
            short, side = resize.get('scale'), _side(cut.get('crop_size'))
        case [('EfficientNetCenterCrop', cut)]:  # which cuts first and resizes then: the same part of a picture
            side = _side(cut.get('crop_size'))
            padding = cut.get('crop_padding', PADDING)
            short = side + padding if side is not None and isinstance(padding, int) else None
        case [('torchvision/Resize', resize), ('torchvision/CenterCrop', cut)]:
            # Of two lengths, its Resize stretches.
            short, side = _length(resize.get('size')), _side(cut.get('size'))
        case _:
            return None
    return CentreCrop(short, side) if isinstance(short, int) and side is not None else None


def sizing_steps(pipeline: Sequence[Any]) -> list[tuple[str, Any]]:
    """The steps of a test pipeline that change a picture's size, each with its name without a scope."""
    steps = [(str(step.get('type')).rpartition('.')[2], step) for step in pipeline]
    return [(name, step) for name, step in steps if any(word in name for word in ('Resize', 'Crop', 'Pad'))]


def _length(given: Any) -> int | None:
    """A length in px that stands alone, or alone in a list as torchvision takes it too."""
    alone = given[0] if isinstance(given, tuple | list) and len(given) == 1 else given
    return alone if isinstance(alone, int) else None


def _side(given: Any) -> int | None:
    """Px of the side of a square, from one length or two."""
    if isinstance(given, tuple | list) and given and all(length == given[0] for length in given):
        return _length(given[:1])
    return _length(given)


def see_whole(pipeline: Sequence[Any], side: int) -> None:
    """Have a pipeline that `centre_crop_of` knows give squares of `side` px, the shorter side whole; in place."""
    for name, step in sizing_steps(pipeline):
        lengths = {
            'ResizeEdge': {'scale': side},
            'CenterCrop': {'crop_size': side},
            'EfficientNetCenterCrop': {'crop_size': side, 'crop_padding': 0},
        }
        step.update(lengths.get(name, {'size': side}))  # torchvision's name it so

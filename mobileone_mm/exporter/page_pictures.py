"""What the page shows: pictures with what they show by their annotations, the trained model and the exported file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mobileone_mm.artifact.card import Card
from mobileone_mm.pages.images import Shown, figure
from mobileone_mm.pages.parts import begun, plain, section
from mobileone_mm.pictures.drawing import resized
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.tasks.task import Agreement, Looking

PICTURE_SIDE = 640  # px of a picture's longer side in the page
MOST_PAIRS = 12  # pictures in a page; beyond it grows too heavy to send
SIDES = ('trained', 'exported')
TITLES = ('ground truth', 'trained model', 'exported file')


@dataclass(frozen=True)
class Pair:
    """What the trained model and the exported file find in one picture.

    Attributes:
        name: of the picture.
        picture: uint8 RGB (H, W, 3), as both took it.
        trained: by the trained model.
        exported: by the exported file, under the same rules.
        truth: what it shows by its annotations; None where that is not known.
        canvas: the picture to draw on, uint8 RGB (H', W', 3), before it was stretched; None draws on `picture`.
    """

    name: str
    picture: Picture
    trained: Any
    exported: Any
    truth: Any = None
    canvas: Picture | None = None


def pictures_section(pairs: Sequence[Pair], info: Card, source: str, lacking: str) -> str:
    """Pictures side by side, those that differ first.

    Args:
        pairs: one or more.
        info: of the exported file.
        source: what the pictures are.
        lacking: why they are no real ones, if they are not.
    """
    look = task_named(info.task).look
    compared = [
        look.agree(pair.trained, pair.exported, (pair.picture.shape[1], pair.picture.shape[0])) for pair in pairs
    ]
    order = sorted(range(len(pairs)), key=lambda index: -compared[index].differing)  # stable
    shown = order[:MOST_PAIRS]
    total = look.total(compared)
    intro = f'{begun(source)}. {begun(total.said(*SIDES))}.'
    if any(one.differing for one in compared):
        intro += ' What differs is marked in red.'
    intro = ' '.join(filter(None, [intro, total.hint]))
    if len(shown) < len(pairs):
        intro += f' {len(shown)} of {len(pairs)} are shown, those that differ first.'
    figures = '\n'.join(_figure(pairs[index], compared[index], info.classes, look) for index in shown)
    return section('Pictures', plain(intro), f'{_advice(lacking)}{figures}')


def _advice(lacking: str) -> str:
    if not lacking:
        return ''
    how = '<code>--image street.jpg</code> on the command line, <code>images=[...]</code> in Python'
    said = f'<b>Real pictures say more.</b> Export again with some of yours: {how}. ({plain(lacking)})'
    return f'<p class="advice">{said}</p>\n'


def _figure(pair: Pair, compared: Agreement, classes: Sequence[str], look: Looking) -> str:
    canvas = resized(pair.picture if pair.canvas is None else pair.canvas, PICTURE_SIDE)
    drawn = look.draw_beside(canvas, pair.truth, pair.trained, pair.exported, classes, compared)
    found = (pair.truth, pair.trained, pair.exported)[-len(drawn) :]
    shown = [
        Shown(title, what, image, f'{pair.name}, {title}: {look.said(one, classes)}')
        for title, (image, what), one in zip(TITLES[-len(drawn) :], drawn, found, strict=True)
    ]
    mood = ' class="differs"' if compared.differing else ''
    caption = f'<b>{plain(pair.name)}</b> <span{mood}>{plain(look.total([compared]).said(*SIDES))}</span>'
    return figure(shown, caption)

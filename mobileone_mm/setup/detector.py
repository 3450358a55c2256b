"""A detector's config from a set of boxes."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mobileone_mm.errors import DataError, printable
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.openmmlab.own_config import with_settings
from mobileone_mm.openmmlab.test_data import open_dataset
from mobileone_mm.setup.amounts import amounts_for
from mobileone_mm.setup.anchors import Floats, sides_of, suited_from
from mobileone_mm.setup.boxes import Boxes, Resize, boxes_of
from mobileone_mm.setup.changes import EVERY, VARIED, Changes, choose_changes
from mobileone_mm.setup.folder import KINDS
from mobileone_mm.setup.maps import (
    ENOUGH,
    FEW,
    FINE,
    THRESHOLD,
    Choice,
    Maps,
    choose_maps,
    strides_of,
)
from mobileone_mm.setup.proposal import Draft, Proposal, Wishes, read, title
from mobileone_mm.setup.text import bracketed, comment, counted, share, sizes_said

SIDE = 320  # px of the input: the paper's
LARGER = 512  # px, offered where it reaches notably more
SMALL = 24  # px at the input: what is called small here
MOST_SHARES = 6  # classes whose shares stand in a line

MODEL = """dict(
    backbone=dict(out_indices=out_indices, train_impl='auto'),  # the same steps in less time: docs/training-cost.md
    {neck}
    bbox_head=dict(
        in_channels=channels,
        num_classes=len(classes),
        norm_cfg=norm_cfg,
        anchor_generator=dict(_delete_=True, type='YOLOAnchorGenerator', strides=strides, base_sizes=anchors),
    ),
    # An anchor whose IoU with a box is 0.4 to 0.5 counts neither as object nor as background.
    train_cfg=dict(assigner=dict(neg_iou_thr=0.4)),
)"""
NO_NECK = 'neck=None,  # no maps but those of the backbone'
NECK = """neck=dict(
        in_channels=channels[: len(out_indices)],
        out_channels=channels,
        level_strides={strides},
        level_paddings={paddings},
        norm_cfg=norm_cfg,
    ),"""
REPLACED = ('batch_size', 'max_epochs', 'train_pipeline', 'test_pipeline')  # the template's lines that are chosen


@dataclass(frozen=True)
class _Set:
    """What is known of a set of boxes.

    Attributes:
        boxes: those that are trained on.
        side: of the input, in px.
        sides: (N,) of the boxes there: the roots of their areas.
        choice: of maps.
        changes: by chance.
        train: pictures that are trained on.
        val: pictures for validation.
    """

    boxes: Boxes
    side: int
    sides: Floats
    choice: Choice
    changes: Changes
    train: int
    val: int


def propose(draft: Draft, wishes: Wishes) -> Proposal:
    """The config for a set of boxes, and what it was chosen by.

    Raises:
        DataError: the set cannot be read, or has no box to train on.
        UsageError: an input that is no square is asked for.
    """
    plain = draft.text()
    known = _looked_at(draft.root, plain, wishes.side(SIDE))
    maps, classes = known.choice.chosen, known.boxes.classes
    neck = NECK.format(strides=(2,) * maps.added, paddings=(1,) * maps.added) if maps.added else NO_NECK
    changed = {'model': MODEL.format(neck=neck)}
    settings = list(_settings(known, wishes.variant))
    text = with_settings(plain, title('An SSD', draft.root), wishes.variant, settings, changed, REPLACED)
    low, middle, high = np.percentile(known.sides, (5, 50, 95))
    found = (
        f'{KINDS[draft.template]}: {known.train:,} training pictures, {known.val:,} for validation; '
        f'{sizes_said(known.boxes.picture_sizes.tolist())}',
        f'{len(known.sides):,} boxes: {counted(classes, known.choice.counts)}',
        f'box sizes (square root of the area) at {known.side} x {known.side} px: median {middle:.0f} px, 90 % from '
        f'{low:.0f} to {high:.0f} px',
    )
    reach = f'{share(maps.share)} of the boxes: {_shares(classes, maps, known.choice.counts)}'
    chosen = (
        f'maps from a stride of {maps.anchors.strides[0]} px on; an anchor reaches (IoU {THRESHOLD}) {reach}',
        f'flips: {", ".join(known.changes.flips) or "none"}; Expand: {"yes" if known.changes.expand else "no"}',
        str(amounts_for('detection', known.train)),
    )
    return Proposal(text, found, chosen)


def _looked_at(root: str, text: str, side: int) -> _Set:
    with read(text) as config:
        for loader in ('train_dataloader', 'val_dataloader'):
            config[loader].dataset.check = False  # a fault of a file is for `mobileone check` to name
        train, val = (open_dataset(config, f'{part}_dataloader', logging.ERROR) for part in ('train', 'val'))
    boxes = boxes_of(train)
    if not len(boxes.xyxy):
        raise DataError(f'{root}: no box of a training picture can be used, expected some to train on')
    choice = choose_maps(boxes, side)
    paths = [train.get_data_info(index)['img_path'] for index in range(len(train))]
    xyxy = boxes.at(Resize((side, side)))
    sides = sides_of(xyxy[:, 2:] - xyxy[:, :2])
    changes = choose_changes(boxes, choice.chosen, side, paths)
    return _Set(boxes, side, sides, choice, changes, len(train), len(val))


def _settings(known: _Set, variant: str) -> Iterator[str]:
    yield f'# --- chosen for {known.train:,} pictures with {len(known.sides):,} boxes ---'
    yield from _input_lines(known)
    yield from amounts_for('detection', known.train).lines()
    yield from _map_lines(known, variant)
    yield from _change_lines(known.changes)


def _shares(classes: Sequence[str], maps: Maps, counts: Sequence[int]) -> str:
    """The classes that are reached least, and how much of each; of those with few boxes it says nothing."""
    rows = [row for row in zip(maps.shares, classes, counts, strict=True) if row[2]]
    known = sorted([row for row in rows if row[2] >= FEW] or rows)
    said = ', '.join(f'{printable(name)} {share(value)}' for value, name, _ in known[:MOST_SHARES])
    return said + (', more of the others' if len(known) > MOST_SHARES else '')


def _input_lines(known: _Set) -> Iterator[str]:
    reached = known.choice.chosen.share
    if known.side < LARGER and reached < ENOUGH:
        larger = choose_maps(known.boxes, LARGER).chosen.share
        yield from comment(
            f'With --input-size {LARGER}, anchors reach {share(larger)} of the boxes instead of {share(reached)}, for '
            f'{(LARGER / known.side) ** 2:.1f} times the work.'
        )
    yield f'input_size = {known.side}  # px, width and height; strides and anchors depend on it'


def _map_lines(known: _Set, variant: str) -> Iterator[str]:
    chosen, coarse, classes = known.choice.chosen, known.choice.coarse, known.boxes.classes
    small = f'{share(float((known.sides < SMALL).mean()))} of the boxes are smaller than {SMALL} px at this size'
    worst = coarse.worst(known.choice.counts)
    if chosen.stages == FINE:
        of_one = ''
        if worst is not None:
            of_one = f' ({printable(classes[worst])}: {share(coarse.shares[worst])})'
        yield from comment(
            f'{small}, so there is a map of stride 8. Without it, anchors would reach {share(coarse.share)} of the '
            f'boxes{of_one}. {_large_said(known)}.'
        )
    else:
        yield from comment(f'{small}, so the finest map has a stride of 16.')
    yield f'out_indices = {chosen.stages}  # backbone stages whose maps are used'
    channels = chosen.channels(ARCHITECTURES[variant]['width_factor'])
    added = ', then from layers that the neck adds' if chosen.added else ''
    yield f'channels = {channels}  # of each map: from {variant.upper()}{added}'
    yield f'strides = {list(chosen.anchors.strides)}'
    yield from comment(
        'Widths and heights of the anchors in px at the input, map by map: k-means with 1 - IoU over the training '
        f"boxes that suit the map, or SSD's usual shapes where there are too few. At an IoU of {THRESHOLD}, they reach "
        f'{share(chosen.share)} of the boxes: {_shares(classes, chosen, known.choice.counts)}.'
    )
    yield 'anchors = ['
    yield from (f'    {list(shapes)},' for shapes in chosen.anchors.shapes)
    yield ']'


def _large_said(known: _Set) -> str:
    """Whether a neck adds maps to those from a stride of 8 px on, and why."""
    strides, _ = strides_of(known.side, FINE)
    least = suited_from(strides[len(FINE)])
    large = float((known.sides >= least).mean())
    follows = 'the neck adds coarser maps' if known.choice.chosen.added else 'the maps of the backbone are enough'
    said = f'{share(large)} are' if large else 'none is'
    return f'{said[0].upper()}{said[1:]} larger than {least:.0f} px, so {follows}'


def _change_lines(changes: Changes) -> Iterator[str]:
    varied = f'the large boxes of a class are {changes.spread:.1f} times the size of its small ones'
    if changes.expand:
        yield from comment(f'Expand, which shrinks pictures, stays: {varied}, so shrunk pictures look like the others.')
    else:
        lost = f'of boxes at half their size, anchors reach {share(changes.halved)}'
        why = f'{varied}, no more' if changes.spread < VARIED else lost
        yield from comment(
            f'Expand, which shrinks pictures to as little as a quarter of their side, is left out: {why}.'
        )
    yield from _flip_lines(changes)
    left_out = [step for step, kept in (('Expand', changes.expand), ('RandomFlip', changes.flips)) if not kept]
    flips = ', RandomFlip=dict(prob=0.75, direction=list(flips))' if changes.flips == EVERY else ''
    yield f'changed = dict(Resize=dict(scale=(input_size, input_size)){flips})'
    of_steps = ["dict(step, **changed.get(step['type'], {}))", 'for step in _base_.train_pipeline']
    if left_out:
        of_steps.append(f"if step['type'] not in {tuple(left_out)}")
    yield from bracketed('train_pipeline', of_steps)
    yield "test_pipeline = [dict(step, **changed.get(step['type'], {})) for step in _base_.test_pipeline]"


def _flip_lines(changes: Changes) -> Iterator[str]:
    upside = changes.upside
    if changes.sided:
        yield from comment(f'No flips: mirrored, {", ".join(map(printable, changes.sided))} would be another class.')
        return
    tilt = f'{100 * abs(upside.slope):.1f} % of the range {"brighter" if upside.slope > 0 else "darker"}'
    seen = (
        f'boxes of a class are up to {upside.tall:.2f} times as tall as wide, or as wide as they are tall; '
        f'they lie at {share(upside.low)} of the height on average; and the upper half of a picture is {tilt} than the '
        'lower'
    )
    if changes.flips == EVERY:
        yield from comment(
            f'Flips in every direction, since the pictures seem to have no upside: {seen}. If yours do, keep only the '
            'first flip.'
        )
        yield f'flips = {EVERY}'
    elif upside.enough:
        yield from comment(
            f'Flips left to right only, as in the base, since the pictures seem to have an upside: {seen}.'
        )
    else:
        yield from comment(
            'Flips left to right only, as in the base: there are too few pictures to tell whether they have an upside.'
        )

"""What to do about faults of masks, and the option that would read what was found."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from mobileone_mm.datasets.faults import Fault
from mobileone_mm.datasets.mask_rules import IDS, Rules, has_label
from mobileone_mm.datasets.picture_facts import MOST_COLOURS, Facts, packed
from mobileone_mm.errors import shown
from mobileone_mm.pictures.endings import PICTURE_ENDINGS


def cures_of(faults: Sequence[Fault], faulty: Sequence[Facts], rules: Rules) -> Iterator[str]:
    """What to do, a line for each kind of fault."""
    kinds = {fault.kind for fault in faults}
    if kinds & {'image missing', 'mask missing'}:
        yield (
            'files that are missing: set data_prefix, img_suffix and seg_map_suffix in the data set, or leave these '
            'images out with a list of the others (ann_file)'
        )
    if 'name with an ending' in kinds:
        yield 'names with endings: list names without them (ann_file), as images and masks share those'
    if 'ending' in kinds:
        yield f'unknown endings: save these images as one of {", ".join(PICTURE_ENDINGS)}'
    if 'other size than the image' in kinds:
        yield 'other sizes: save each mask at the size of its image, resized without smoothing (nearest)'
    if 'ids changed by JPEG' in kinds:
        yield 'ids changed by JPEG: draw these masks anew, or make them again from their source, and save them as PNG'
    if 'id out of range' in kinds:
        yield from _cures_of_ids(faulty, rules)
    if 'black and white' in kinds:
        yield 'black and white: this reads black as the first class, white as the second:'
        yield '    colour_map = ((0, 0, 0), (255, 255, 255))'
    if kinds & {'colours instead of ids', 'alpha channel', 'colour that is not in colour_map'}:
        yield from _cures_of_colours([mask for mask in faulty if not mask.holds_ids], rules)


def _cures_of_ids(faulty: Sequence[Facts], rules: Rules) -> Iterator[str]:
    of_ids = [mask for mask in faulty if mask.holds_ids and not mask.jpeg]
    strange = sorted({value for mask in of_ids for value in mask.values if not has_label(value, rules)})
    if strange and strange[-1] >= IDS:
        yield f'ids above {IDS - 1}: an id is a byte once it is loaded; number the classes anew'
        return
    if len(strange) == 1:
        yield f'id {strange[0]}: if it marks what has no class, set ignore_index={strange[0]} in the data set'
    if strange == [len(rules.classes)]:
        yield '    if ids begin with 1, and 0 marks what has no class, set reduce_zero_label=True'
    if len(strange) > 1:
        yield (
            f'ids {shown(strange)}: name their classes; of those that mark what has no class, list all: '
            f'ignore_index={tuple(strange)!r}'
        )


def _cures_of_colours(faulty: Sequence[Facts], rules: Rules) -> Iterator[str]:
    """The colour map that would read what was found, as far as the colours say it."""
    counts: Counter[int] = Counter()
    for mask in faulty:
        counts.update(dict(zip(mask.colours, mask.pixels, strict=True)))
    if any(not mask.opaque for mask in faulty):
        yield "alpha channels: save these masks without: Image.open(path).convert('RGB').save(path) with Pillow"
    if any(mask.kinds > MOST_COLOURS for mask in faulty) or len(counts) > MOST_COLOURS:
        yield 'colours by the hundred: smoothed or compressed by JPEG, or no masks at all; draw them anew as PNG'
        return
    if not counts:
        return
    known = [] if rules.colours is None else packed(np.array(rules.colours)).tolist()
    found = known + [colour for colour, _ in counts.most_common() if colour not in known]
    if rules.colours is None and all(_is_grey(colour) and colour & 0xFF < len(rules.classes) for colour in found):
        found = [level * 0x010101 for level in range(len(rules.classes))]  # ids, three times each
        yield 'colours: each is an id written into all three channels, and this reads them:'
    else:
        few = len(found) < len(rules.classes)
        lacking = '; add a colour for each class that these masks do not have' if few else ''
        yield (
            f'colours: this reads them once it is in the order of your classes, {shown(rules.classes)}; what stands '
            f'behind the last class is ignored{lacking}:'
        )
    yield f'    colour_map = ({", ".join(map(rgb_text, found))},)'


def _is_grey(colour: int) -> bool:
    return colour % 0x010101 == 0


def rgb_text(colour: int) -> str:
    """0xRRGGBB as it is written in a config."""
    return str((colour >> 16, colour >> 8 & 0xFF, colour & 0xFF))

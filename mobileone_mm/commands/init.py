"""`mobileone init`: write a config for one's own data."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobileone_mm import cli
from mobileone_mm.artifact.formats import ARTIFACTS, CHECKPOINTS, CONFIG
from mobileone_mm.atomic import replacing, require_writable
from mobileone_mm.errors import UsageError, is_plain, printable
from mobileone_mm.locks import take
from mobileone_mm.openmmlab.own_config import own_config, templates
from mobileone_mm.openmmlab.shipped import config
from mobileone_mm.pictures.endings import PICTURE_ENDINGS
from mobileone_mm.setup.layouts import CLASSES, COCO, LAYOUTS, MASKS, VOC, Layout, is_class_folders, is_voc

HELP = """example: %(prog)s my_set.py photos/

Writes a config for the boxes, masks or class folders in a folder, ready to train. It looks at what is there: boxes in
COCO format (Roboflow's among it) or VOC format, pictures and masks, or a folder of pictures for each class. It prints
what it finds and what it chooses, and a comment in the config gives the reason for each choice: batch, epochs, input
size, and for boxes the feature maps, the anchors and the augmentations. The file is yours and may lie anywhere; no file
is ever replaced.

Without a folder, it fills in a template by name: settings for a few hundred pictures, with your classes and paths in
the first lines.
         %(prog)s my_set.py --data photos/ --classes cat,dog
         %(prog)s my_seg.py --images photos/ --masks masks/ --classes ground,cat,dog --ignore 11
         %(prog)s my_classes.py --from mobileone_s0_own_classes --data photos/"""
DATA_FILES = ('.json', '.yaml', '.yml', '.toml', '.xml', '.txt', '.csv', '.html', '.zip')
OTHER_ENDINGS = (*ARTIFACTS, *CHECKPOINTS, *DATA_FILES, *PICTURE_ENDINGS)
PLACEHOLDERS = {MASKS: "'background' and 'thing'", CLASSES: "'cat' and 'dog'"}  # their classes
MOST_LISTED = 10  # names in a line
TRAIN, VAL = 'train', ('val', 'validation')  # subfolders that a set may be split into
HIGHEST = 255  # an id is a byte
BY_HAND = ('template', 'data', 'images', 'masks', 'val_images', 'val_masks')  # options of a template that is filled in
OF_FOLDER = ('variant', 'input_size')  # of a config that is written for a folder


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, write the config, say what is left to fill in; returns the exit status."""
    args = _parser().parse_args(argv)
    out = config_path(args.name)
    take(out)
    if os.path.lexists(out):
        raise UsageError(f'{out}: is there already, and a config of yours is never replaced; choose another name')
    require_writable(out)
    if args.folder is not None:
        _write(out, _proposed(args))
        return 0
    if wrong := [name for name in OF_FOLDER if getattr(args, name) is not None]:
        raise UsageError(f'`{wrong[0]}`: given without a folder to look at: {cli.command("init", out, "FOLDER")}')
    if args.data and not os.path.isdir(args.data):
        raise UsageError(f'`data` {args.data}: no such folder; give the one that holds annotations and pictures')
    classes = split_classes(args.classes) if args.classes is not None else None
    of_masks = _of_masks(args)
    template = args.template or (MASKS if of_masks else COCO)
    if template == MASKS and classes is not None and len(classes) < 2:
        raise UsageError(
            f'`classes` {args.classes}: one given, expected two or more: what is not {classes[0]} is a class too, as a '
            f'rule the first one: background,{classes[0]}'
        )
    layout = found_in(args.data, Path(config(template)).stem) if args.data else Layout()
    text = own_config(template, classes or layout.classes or None, args.data, {**layout.lines, **of_masks})
    _say(args.data, layout, classes)
    if template in PLACEHOLDERS and not (classes or layout.classes):
        cli.say(f'warning: no --classes given; {PLACEHOLDERS[template]} hold their places in the config')
    _write(out, text, 'look through its first lines, classes and paths, before you train')
    return 0


def _proposed(args: argparse.Namespace) -> str:
    """The config for a folder; what it holds and what was chosen is said.

    Raises:
        UsageError: options of a template are given too, or one does not fit.
        DataError: the folder holds no set that we know, or one that cannot be read.
    """
    if wrong := [name for name in BY_HAND if getattr(args, name) is not None]:
        raise UsageError(
            f'`{wrong[0]}`: goes with a template that you fill in, and {args.folder} is looked at; leave one of them '
            'out'
        )
    from mobileone_mm.setup.by_layout import propose  # after the options: it takes seconds to load
    from mobileone_mm.setup.proposal import DEFAULT_VARIANT, Wishes

    ignored = None if args.ignore is None else _ids(args.ignore)
    wishes = Wishes(
        args.variant or DEFAULT_VARIANT,
        None if args.input_size is None else _size(args.input_size),
        split_classes(args.classes) if args.classes is not None else (),
        (ignored,) if isinstance(ignored, int) else ignored,
    )
    proposal = propose(args.folder, wishes)
    for line in proposal.found:
        cli.result(f'found   {line}')
    for line in proposal.chosen:
        cli.result(f'chosen  {line}')
    return proposal.text


def _write(out: Path, text: str, advice: str = 'a comment beside each choice says why') -> None:
    with replacing(out) as fresh:
        fresh.write_text(text, encoding='utf-8')
    cli.result(f'{printable(out)}: written; {advice}')
    cli.next_command(cli.command('check', out))


def _size(words: str) -> tuple[int, int]:
    """Width and height of an input, from one number or two."""
    sides = [word.strip() for word in words.split(',')]
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise UsageError(f'`input_size` {words!r}: expected a number of px, or width and height: 320 or 512,384')
    return int(sides[0]), int(sides[-1])


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser('init', HELP)
    parser.add_argument('name', nargs='?', default='my_set.py', help='file to write (%(default)s)')
    parser.add_argument('folder', nargs='?', metavar='FOLDER', help='your data, to be looked at')
    parser.add_argument('--variant', metavar='S', help='of MobileOne: s0 to s4 (s0, the fastest)')
    parser.add_argument(
        '--input-size',
        metavar='PX',
        help='of the network: 320, of masks also 512,384 (boxes: 320, classes: 288, masks: as it fits)',
    )
    parser.add_argument(
        '--from',
        dest='template',
        metavar='NAME',
        help=f'{", ".join(templates())} ({COCO}; {MASKS} where masks are given)',
    )
    parser.add_argument(
        '--data', metavar='ROOT', help='folder that the other paths begin in; of boxes and classes, all they need'
    )
    parser.add_argument(
        '--classes',
        metavar='A,B,C',
        help="class names, in the order of the labels (COCO: the training file's; folders: theirs)",
    )
    parser.add_argument('--images', metavar='DIR', help='folder of pictures that have masks; train/ and val/ are found')
    parser.add_argument('--masks', metavar='DIR', help='folder of their masks, of the same names')
    parser.add_argument('--val-images', metavar='DIR', help='validation pictures (a fifth of the others is held out)')
    parser.add_argument('--val-masks', metavar='DIR', help='their masks')
    parser.add_argument('--ignore', metavar='ID', help='id in the masks of what has no class, or several: 0,11 (255)')
    return parser


def _of_masks(args: argparse.Namespace) -> dict[str, Any]:
    """What a config for masks has to be filled in with; empty where no mask is spoken of.

    Raises:
        UsageError: a folder is missing or does not exist, or an id is none.
    """
    given = {key: getattr(args, key) for key in ('images', 'masks', 'val_images', 'val_masks')}
    filled: dict[str, Any] = {key: folder for key, folder in given.items() if folder is not None}
    for one, other in (('images', 'masks'), ('val_images', 'val_masks')):
        if (one in filled) != (other in filled):
            raise UsageError(f'`{one}` and `{other}`: one is given without the other; give both')
    if 'val_images' in filled and 'images' not in filled:
        raise UsageError('`val_images`: given without `images`; give the folders for training too')
    root = args.data or ''
    for key, folder in filled.items():
        if not os.path.isdir(os.path.join(root, folder)):
            raise UsageError(f'`{key}` {os.path.join(root, folder)}: no such folder')
    if 'images' in filled and 'val_images' not in filled:
        filled |= _parted(root, filled['images'], filled['masks'])
    if filled and not root:
        filled['data_root'] = ''  # the folders are named from where the command is typed
    if args.ignore is not None:
        filled['ignore_index'] = _ids(args.ignore)
    return filled


def _parted(root: str, images: str, masks: str) -> dict[str, str]:
    """The folders of a set that is split into subfolders already; nothing of another."""
    for val in VAL:
        if all(os.path.isdir(os.path.join(root, folder, part)) for folder in (images, masks) for part in (TRAIN, val)):
            names = {'images': (images, TRAIN), 'masks': (masks, TRAIN)}
            names |= {'val_images': (images, val), 'val_masks': (masks, val)}
            return {key: os.path.join(*parts) for key, parts in names.items()}
    return {}


def _ids(words: str) -> int | tuple[int, ...]:
    ids = [word.strip() for word in words.split(',')]
    if not all(word.isascii() and word.isdigit() and int(word) <= HIGHEST for word in ids):
        raise UsageError(f'`ignore` {words!r}: expected an id from 0 to {HIGHEST}, or several between commas: 0,11')
    return int(ids[0]) if len(ids) == 1 else tuple(map(int, ids))


def found_in(folder: str, template: str) -> Layout:
    """What the folder holds of what the template names.

    Raises:
        UsageError: it holds a set of another format.
    """
    layout = LAYOUTS[template](Path(folder)) if template in LAYOUTS else Layout()
    if template == COCO and not layout.lines and is_voc(Path(folder)):
        raise UsageError(f'{folder}: a set in VOC format; give --from {VOC}')
    if template == COCO and not layout.lines and is_class_folders(Path(folder)):
        raise UsageError(f'{folder}: folders of classes; give --from {CLASSES}')
    return layout


def _say(folder: str, layout: Layout, classes: Sequence[str] | None) -> None:
    for name, value in layout.lines.items():
        if value is not None:
            cli.say(f'found {name} = {value!r}')
    if layout.classes and classes is None:
        cli.say(f'found {len(layout.classes)} classes: {_listed(layout.classes)}')
    elif classes and layout.classes and not set(classes) <= set(layout.classes):
        cli.say(f'warning: the training set has the categories {_listed(layout.classes)}')
    for note in layout.notes:
        cli.say(note)
    if layout.missing:
        cli.say(f'warning: not found in {folder}: {"; ".join(layout.missing)}. Give their paths in the config')


def _listed(names: Sequence[str]) -> str:
    more = ' ...' if len(names) > MOST_LISTED else ''
    return ', '.join(map(printable, names[:MOST_LISTED])) + more


def config_path(name: str) -> Path:
    """The file that a name means; its ending may be left out.

    Raises:
        UsageError: the name is a folder's, or has the ending of another kind of file.
    """
    path = Path(name)
    if name.endswith('/') or not path.name:
        raise UsageError(f'{name}: a folder given, expected the name of the config to write, such as my_set{CONFIG}')
    if path.suffix.lower() in OTHER_ENDINGS:
        raise UsageError(f'{name}: a config ends in {CONFIG}; did you mean {path.with_suffix(CONFIG)}?')
    return path if path.suffix == CONFIG else Path(f'{name}{CONFIG}')


def split_classes(words: str) -> tuple[str, ...]:
    """The names between commas.

    Raises:
        UsageError: one is empty, stands twice or has control characters.
    """
    names = tuple(name.strip() for name in words.split(','))
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(f'`classes` {words!r}: expected names between commas, none empty and none twice')
    if not all(map(is_plain, names)):
        raise UsageError(f'`classes` {words!r}: expected names without control characters')
    return names

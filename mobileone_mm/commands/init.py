"""`mobileone init`: write a config for one's own data."""

import os
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.artifact.formats import ARTIFACTS, CHECKPOINTS, CONFIG
from mobileone_mm.atomic import replacing
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.own_config import own_config, templates
from mobileone_mm.openmmlab.own_layout import LAYOUTS, Layout, is_voc
from mobileone_mm.openmmlab.shipped import config

HELP = """example: %(prog)s my_set.py --data photos/ --classes cat,dog

Writes a config for your own boxes, ready to train: settings that work on a few hundred pictures, with your classes and
paths in its first lines. Looks into the folder for annotation files and pictures, and says what it did not find. The
file may lie anywhere and is yours to change. Nothing is replaced."""
COCO, VOC = 'ssd_mobileone_s0_own_coco', 'ssd_mobileone_s0_own_voc'
DATA_FILES = ('.json', '.yaml', '.yml', '.toml', '.xml', '.txt', '.csv', '.html', '.zip', '.jpg', '.jpeg', '.png')
MOST_LISTED = 10  # names in a line
OTHER_ENDINGS = (*ARTIFACTS, *CHECKPOINTS, *DATA_FILES)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, write the config, say what is left to fill in; returns the exit status."""
    parser = cli.parser('init', HELP)
    parser.add_argument('name', nargs='?', default='my_set.py', help='file to write (%(default)s)')
    parser.add_argument(
        '--from', dest='template', default=COCO, metavar='NAME', help=f'{" or ".join(templates())} (%(default)s)'
    )
    parser.add_argument('--data', metavar='ROOT', help='folder that holds annotations and pictures')
    parser.add_argument(
        '--classes', metavar='A,B,C', help="class names, in the order of the labels (COCO: the training file's)"
    )
    args = parser.parse_args(argv)
    out = config_path(args.name)
    if os.path.lexists(out):
        raise UsageError(f'{out}: is there already, and a config of yours is never replaced; choose another name')
    if args.data and not os.path.isdir(args.data):
        raise UsageError(f'`data` {args.data}: no such folder; give the one that holds annotations and pictures')
    classes = split_classes(args.classes) if args.classes is not None else None
    layout = found_in(args.data, Path(config(args.template)).stem) if args.data else Layout()
    text = own_config(args.template, classes or layout.classes or None, args.data, layout.lines)
    with replacing(out) as fresh:
        fresh.write_text(text, encoding='utf-8')
    _say(args.data, layout, classes)
    cli.result(f'{out}: written; look through its first lines, classes and paths, before you train')
    cli.next_command(cli.command('train', out))
    return 0


def found_in(folder: str, template: str) -> Layout:
    """What the folder holds of what the template names.

    Raises:
        UsageError: it holds a set of another format.
    """
    layout = LAYOUTS[template](Path(folder)) if template in LAYOUTS else Layout()
    if template == COCO and not layout.lines and is_voc(Path(folder)):
        raise UsageError(f'{folder}: a set in VOC format; give --from {VOC}')
    return layout


def _say(folder: str, layout: Layout, classes: Sequence[str] | None) -> None:
    for name, value in layout.lines.items():
        cli.say(f'found {name} = {value!r}')
    if layout.classes and classes is None:
        cli.say(f'found {len(layout.classes)} classes: {_listed(layout.classes)}')
    elif classes and layout.classes and not set(classes) <= set(layout.classes):
        cli.say(f'warning: the training file has the categories {_listed(layout.classes)}')
    if layout.missing:
        cli.say(f'warning: not found in {folder}: {"; ".join(layout.missing)}. Give their paths in the config')


def _listed(names: Sequence[str]) -> str:
    more = ' ...' if len(names) > MOST_LISTED else ''
    return ', '.join(names[:MOST_LISTED]) + more


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
        UsageError: one is empty or stands twice.
    """
    names = tuple(name.strip() for name in words.split(','))
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(f'`classes` {words!r}: expected names between commas, none empty and none twice')
    return names

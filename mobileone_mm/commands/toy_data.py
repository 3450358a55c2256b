"""Draw a small set of circles, squares and triangles: with boxes in COCO format, with masks, or in class folders."""

import json
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.datasets.toy_options import ToyOptions
from mobileone_mm.errors import printable
from mobileone_mm.locks import take

HELP = """example: %(prog)s shapes --images 300 --val 60
         %(prog)s shapes --masks
         %(prog)s shapes --class-folders

Draws circles, squares and triangles that overlap, on a noisy ground, and writes OUT/images/{train,val}/*.png and
OUT/annotations/{train,val}.json. A box holds what is visible of its shape. With --masks, the same pictures and instead
of boxes OUT/masks/{train,val}/*.png, a class a pixel: 0 ground, 1 circle, 2 square, 3 triangle. With --class-folders,
pictures of one shape each, of any colour, in OUT/{train,val}/{circle,square,triangle}/*.jpg.
The same options give the same pictures, boxes and masks."""
LEAST_BATCH = 2  # of one picture, batch normalisation has nothing to average on a map of one cell
OWN_CONFIG = 'my_set.py'


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, draw, say what was made."""
    default = ToyOptions()
    parser = cli.parser('toy-data', HELP)
    parser.add_argument('out', metavar='OUT', help='folder to write; an older set of drawn shapes there is replaced')
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument('--masks', action='store_true', help='for segmentation: masks instead of boxes')
    kinds.add_argument('--class-folders', action='store_true', help='for classification: a folder for each class')
    parser.add_argument('--images', type=int, default=default.images, help='training pictures (%(default)s)')
    parser.add_argument('--val', type=int, default=default.val, help='validation pictures (%(default)s)')
    parser.add_argument('--size', type=int, default=default.size, help='side of a picture in pixels (%(default)s)')
    parser.add_argument('--seed', type=int, default=default.seed, help='another seed, other pictures (%(default)s)')
    args = parser.parse_args(argv)
    take(args.out)
    options = ToyOptions(images=args.images, val=args.val, size=args.size, seed=args.seed)
    write = _with_masks if args.masks else _in_class_folders if args.class_folders else _with_boxes
    if write(args.out, options) < LEAST_BATCH:
        cli.say(f'{printable(args.out)}: too few pictures with a shape in them to train on; draw more with --images')
    else:
        cli.next_command(cli.command('init', OWN_CONFIG, args.out, *(_class_names() if args.masks else ())))
    return 0


# What is drawn is imported after the options: a wrong one shall not wait for OpenCV.
def _with_boxes(out: str, options: ToyOptions) -> int:
    """Write a set in COCO format; how many training pictures show a shape: training leaves the others out."""
    from mobileone_mm.datasets.toy import write_coco

    boxes = write_coco(out, options)
    _say(out, f'train {options.images} images, {boxes["train"]} boxes; val {options.val}, {boxes["val"]}')
    annotations = json.loads(Path(out, 'annotations/train.json').read_text())['annotations']
    return len({box['image_id'] for box in annotations})


def _with_masks(out: str, options: ToyOptions) -> int:
    """Write a set with masks; how many training pictures it has."""
    from mobileone_mm.datasets.toy import write_masks

    shapes = write_masks(out, options)
    _say(out, f'train {options.images} images, {shapes["train"]} shapes; val {options.val}, {shapes["val"]}')
    return options.images


def _in_class_folders(out: str, options: ToyOptions) -> int:
    """Write a set in class folders; how many training pictures it has."""
    from mobileone_mm.datasets.toy import write_class_folders

    pictures = write_class_folders(out, options)
    _say(out, f'train {pictures["train"]} images, one shape each; val {pictures["val"]}')
    return options.images


def _say(out: str, drawn: str) -> None:
    cli.result(f'{printable(out)}: {drawn}')


def _class_names() -> list[str]:
    """Options of `init` that name the classes of a set with masks, which hold only their numbers."""
    from mobileone_mm.datasets.toy_shapes import MASK_CLASSES

    return ['--classes', ','.join(MASK_CLASSES)]

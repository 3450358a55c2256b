"""Draw a small set of circles, squares and triangles: with boxes in COCO format, with masks, or in class folders."""

import json
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.datasets.toy_options import BATCH, ToyOptions
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
OWN_CLASSES = 'mobileone_s0_own_classes'


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
    shown, command = write(args.out, options)
    if shown < LEAST_BATCH:
        cli.say(f'{args.out}: too few pictures with a shape in them to train on; draw more with --images')
    else:
        cli.next_command(command)
    return 0


# What is drawn is imported after the options: a wrong one shall not wait for OpenCV.
def _with_boxes(out: str, options: ToyOptions) -> tuple[int, str]:
    """Write a set in COCO format; how many training pictures show a shape, and the command that trains on it."""
    from mobileone_mm.datasets.toy import write_coco

    boxes = write_coco(out, options)
    cli.result(f'{out}: train {options.images} images, {boxes["train"]} boxes; val {options.val}, {boxes["val"]}')
    root = f'{out.rstrip("/")}/'
    places = [f'{split}_dataloader.dataset.data_root={root}' for split in ('train', 'val', 'test')]
    places += [f'{split}_evaluator.ann_file={root}annotations/val.json' for split in ('val', 'test')]
    shown = _with_a_box(Path(out) / 'annotations' / 'train.json')
    if shown < BATCH:
        places.append(f'train_dataloader.batch_size={shown}')
    return shown, cli.command('train', 'demo_ssd', '--cfg-options', *places)


def _with_masks(out: str, options: ToyOptions) -> tuple[int, str]:
    """Write a set with masks; how many training pictures it has, and the command that writes a config for it."""
    from mobileone_mm.datasets.toy import write_masks
    from mobileone_mm.datasets.toy_shapes import MASK_CLASSES

    shapes = write_masks(out, options)
    cli.result(f'{out}: train {options.images} images, {shapes["train"]} shapes; val {options.val}, {shapes["val"]}')
    folders = {f'--{kind}': f'{out.rstrip("/")}/{kind}' for kind in ('images', 'masks')}
    words = [word for pair in folders.items() for word in pair]
    return options.images, cli.command('init', OWN_CONFIG, *words, '--classes', ','.join(MASK_CLASSES))


def _in_class_folders(out: str, options: ToyOptions) -> tuple[int, str]:
    """Write a set in class folders; how many training pictures it has, and the command that writes a config for it."""
    from mobileone_mm.datasets.toy import write_class_folders

    pictures = write_class_folders(out, options)
    cli.result(f'{out}: train {pictures["train"]} images, one shape each; val {pictures["val"]}')
    return options.images, cli.command('init', OWN_CONFIG, '--from', OWN_CLASSES, '--data', out)


def _with_a_box(file: Path) -> int:
    """How many of a set's pictures show a shape: training leaves the others out."""
    return len({box['image_id'] for box in json.loads(file.read_text())['annotations']})

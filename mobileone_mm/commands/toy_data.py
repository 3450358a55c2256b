"""Draw a small COCO-format detection set of circles, squares and triangles."""

import json
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.datasets.toy_options import BATCH, ToyOptions

HELP = """example: %(prog)s shapes --images 300 --val 60

Draws circles, squares and triangles that overlap, on a noisy ground, and writes
OUT/annotations/{train,val}.json and OUT/images/{train,val}/*.png. A box holds what is visible of its shape.
The same options give the same pixels and boxes."""
LEAST_BATCH = 2  # of one picture, batch normalisation has nothing to average on a map of one cell


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, draw, say what was made."""
    default = ToyOptions()
    parser = cli.parser('toy-data', HELP)
    parser.add_argument('out', metavar='OUT', help='folder to write; an older set of drawn shapes there is replaced')
    parser.add_argument('--images', type=int, default=default.images, help='training pictures (%(default)s)')
    parser.add_argument('--val', type=int, default=default.val, help='validation pictures (%(default)s)')
    parser.add_argument('--size', type=int, default=default.size, help='side of a picture in pixels (%(default)s)')
    parser.add_argument('--seed', type=int, default=default.seed, help='another seed, other pictures (%(default)s)')
    args = parser.parse_args(argv)
    options = ToyOptions(images=args.images, val=args.val, size=args.size, seed=args.seed)
    # After the options: a wrong one shall not wait for OpenCV.
    from mobileone_mm.datasets.toy import write_coco

    boxes = write_coco(args.out, options)
    cli.result(f'{args.out}: train {options.images} images, {boxes["train"]} boxes; val {options.val}, {boxes["val"]}')
    root = f'{args.out.rstrip("/")}/'
    places = [f'{split}_dataloader.dataset.data_root={root}' for split in ('train', 'val', 'test')]
    places += [f'{split}_evaluator.ann_file={root}annotations/val.json' for split in ('val', 'test')]
    shown = _with_a_box(Path(args.out) / 'annotations' / 'train.json')
    if shown < LEAST_BATCH:
        cli.say(f'{args.out}: too few pictures with a shape in them to train on; draw more with --images')
        return 0
    if shown < BATCH:
        places.append(f'train_dataloader.batch_size={shown}')
    cli.next_command(cli.command('train', 'demo_ssd', '--cfg-options', *places))
    return 0


def _with_a_box(file: Path) -> int:
    """How many of a set's pictures show a shape: training leaves the others out."""
    return len({box['image_id'] for box in json.loads(file.read_text())['annotations']})

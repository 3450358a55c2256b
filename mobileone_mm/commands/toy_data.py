"""Draw a small COCO-format detection set of circles, squares and triangles."""

from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.datasets.toy_options import ToyOptions

HELP = """example: %(prog)s shapes --images 300 --val 60

Draws circles, squares and triangles that overlap, on a noisy ground, and writes
OUT/annotations/{train,val}.json and OUT/images/{train,val}/*.png. A box holds what is visible of its shape.
The same options give the same pixels and boxes."""


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
    cli.next_command(cli.command('train', 'demo_ssd', '--cfg-options', *places))
    return 0

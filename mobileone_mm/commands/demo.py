"""The whole way on drawn shapes: make data, train, test, fuse, export and score, check, look, and say what came out."""

from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.demo import steps
from mobileone_mm.demo.by_task import DEMOS
from mobileone_mm.demo.demo import DATA

HELP = """example: %(prog)s
         %(prog)s --task segmentation
         %(prog)s --task classification

Takes minutes. Draws a set of shapes, trains a small detector, segmenter or classifier on it, exports it as a Core ML
package, checks and scores that, and writes all of it to the folder demo/ here: the package and the report about it,
summary.md, pictures.png, predictions/, logs/. An earlier demo is put aside."""
FIRST, *_ = DEMOS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, draw the pictures, write the page and print its core."""
    parser = cli.parser('demo', HELP)
    parser.add_argument('--task', choices=DEMOS, default=FIRST, help='what to train a model for (%(default)s)')
    args = parser.parse_args(argv)
    root = Path.cwd()
    folder = root / steps.FOLDER
    if aside := steps.make_room(root):
        cli.say(f'the earlier demo is now {aside.name}/')
    # Here: the help and a refusal shall not wait for OpenCV.
    from mobileone_mm.demo.summary import facts, summary

    demo = DEMOS[args.task]()
    done = list(steps.run_steps(root, demo.steps, cli.say))
    demo.draw(folder / 'pictures.png', folder)
    (folder / 'summary.md').write_text(summary(demo, root, done), encoding='utf-8')
    for title, rows in ('done', facts(demo, root, done)), ('to look at', _shown(demo.package)):
        cli.result(f'\n{title}')
        for name, text in rows.items():
            cli.result(f'  {name:11}  {text}')
    cli.result('\non data of your own: name their folder, here the one of the demo')
    cli.next_command(cli.command('init', 'my_set.py', f'{steps.FOLDER}/{DATA}', *demo.own))
    return 0


def _shown(package: str) -> dict[str, str]:
    """What a finished demo has to look at."""
    return {
        'report': f'{steps.FOLDER}/{package}.report.html, in a browser: every check, scores, pictures',
        'pictures': f'{steps.FOLDER}/pictures.png, what was drawn and what the trained model finds',
        'predictions': f'{steps.FOLDER}/predictions, what the package finds beside the trained model',
        'summary': f'{steps.FOLDER}/summary.md',
    }

"""The whole way on drawn shapes: make data, train, test, fuse, export and score, check, look, and say what came out."""

from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.demo import steps

HELP = """example: %(prog)s

Takes minutes. Draws a set of shapes, trains a small detector on it, exports it as a Core ML package, checks and scores
that, and writes all of it to the folder demo/ here: detector.mlpackage and the report about it, summary.md,
pictures.png, predictions/, logs/."""
SHOWN = {
    'report': f'{steps.FOLDER}/detector.mlpackage.report.html, in a browser: every check, scores, pictures',
    'pictures': f'{steps.FOLDER}/pictures.png, what was drawn and what the trained model finds',
    'predictions': f'{steps.FOLDER}/predictions, what the package finds beside the trained model',
    'summary': f'{steps.FOLDER}/summary.md',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, draw the pictures, write the page and print its core."""
    cli.parser('demo', HELP).parse_args(argv)
    root = Path.cwd()
    folder = root / steps.FOLDER
    if aside := steps.make_room(root):
        cli.say(f'the earlier demo is now {aside.name}/')
    done = list(steps.run_steps(root, steps.STEPS, cli.say))
    # Here: the help shall not wait for OpenCV.
    from mobileone_mm.demo.sheet import write_sheet
    from mobileone_mm.demo.summary import facts, summary

    write_sheet(
        folder / 'pictures.png',
        annotations=folder / 'data/annotations/val.json',
        predictions=folder / 'test/predictions.bbox.json',
        images=folder / 'data/images/val',
    )
    (folder / 'summary.md').write_text(summary(root, done))
    for title, rows in ('done', facts(root, done)), ('to look at', SHOWN):
        cli.result(f'\n{title}')
        for name, text in rows.items():
            cli.result(f'  {name:11}  {text}')
    cli.result('\nOn your own boxes: a config with your classes and paths in its first lines')
    cli.next_command(cli.command('init', 'my_set.py'))
    return 0

"""The console script: `mobileone VERB ...`, or `python -m mobileone_mm VERB ...`."""

import sys
from collections.abc import Sequence
from importlib import import_module

from mobileone_mm import __version__
from mobileone_mm.errors import INTERRUPTED, UsageError, interrupted

try:
    from difflib import get_close_matches

    from mobileone_mm import cli
except (Exception, KeyboardInterrupt) as error:
    if not interrupted(error):
        raise
    # So early that `cli` cannot say it.
    sys.stderr.write('stopped\n')
    raise SystemExit(INTERRUPTED) from None

COMMANDS = 'mobileone_mm.commands'  # a module for each verb, imported when it is asked for
VERBS = {
    'demo': 'the whole way in minutes, on pictures it draws itself',
    'doctor': 'what is installed, what is broken, and the command that fixes it',
    'init': 'write a config for your own data',
    'check': 'look at what a config trains on: counts, faults, samples',
    'train': 'train a model, from a config of your own or by the name of a shipped one',
    'test': "score a checkpoint by its config's own metric",
    'export': 'turn a trained model into a checked Core ML package or ONNX file',
    'verify': 'check a saved package or file again, by itself',
    'evaluate': 'score an exported file on your own test data, beside the model you trained',
    'robustness': 'score an ImageNet classifier on ImageNet-C, -A, -R and -Sketch',
    'predict': 'draw what a model finds in pictures',
    'fuse': 'write the fused form of a checkpoint, and the config that loads it',
    'convert': "write a checkpoint in another project's layout",
    'toy-data': 'draw a small data set, with boxes, with masks or in class folders',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit status."""
    return cli.run(_dispatch, sys.argv[1:] if argv is None else argv)


def module_of(verb: str) -> str:
    """The module whose `main` is a verb."""
    return f'{COMMANDS}.{verb.replace("-", "_")}'


def _dispatch(argv: Sequence[str] | None) -> int:
    if not argv:
        cli.say(_help())
        return UsageError.exit_status
    verb, *words = argv
    if verb in ('-h', '--help'):
        cli.result(_help())
        return 0
    if verb == '--version':
        cli.result(__version__)
        return 0
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, n=1, cutoff=0.5)
        meant = f'did you mean: {cli.command(near[0])}' if near else f'all of them: {cli.command("--help")}'
        raise UsageError(f'{verb}: no such command; {meant}')
    status: int = import_module(module_of(verb)).main(words)
    return status


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = '\n'.join(f'  {verb:{width}}  {line}' for verb, line in VERBS.items())
    return f"""example: {cli.command('demo')}

From a config to a detector, a segmenter or a classifier on an iPhone: train MobileOne with OpenMMLab, fuse it, export
it, and check what was exported.

{verbs}

Each explains itself: {cli.command('export', '--help')}"""


if __name__ == '__main__':
    raise SystemExit(main())

"""Score an ImageNet classifier on ImageNet-C, -A, -R and -Sketch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, AN_ARTIFACT, is_artifact, require_kind
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.outputs import REPORT, require_outputs

HELP = """example: %(prog)s mobileone_s0_in1k best.pth --imagenet-a data/imagenet-a

Scores an ImageNet classifier on the sets of the paper's table 12 and prints its figures beside the paper's: the mCE of
ImageNet-C, top-1 and top-5 of the others. Each set is read as it is published, in folders named by WordNet ids
(docs/robustness.md), and prepared by the config's test pipeline. A checkpoint runs on the GPU where there is one, an
exported file on the CPU."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, score, print the table; returns the exit status."""
    parser = cli.parser('robustness', HELP)
    parser.add_argument('config', help="the classifier's config: a file, or the name of a shipped one")
    parser.add_argument('model', help='its checkpoint, trained or fused, or what was exported from it')
    parser.add_argument('--imagenet', type=Path, metavar='DIR', help="ImageNet's validation pictures: clean accuracy")
    parser.add_argument('--imagenet-c', type=Path, metavar='DIR', help='corrupted: noise, blur, weather, digital')
    parser.add_argument('--imagenet-a', type=Path, metavar='DIR', help='photographs that fooled a ResNet-50')
    parser.add_argument('--imagenet-r', type=Path, metavar='DIR', help='renditions: paintings, toys, tattoos ...')
    parser.add_argument('--imagenet-sketch', type=Path, metavar='DIR', help='black and white sketches')
    parser.add_argument(
        '--corrupt', action='store_true', help="make ImageNet-C's corruptions of the pictures of --imagenet"
    )
    parser.add_argument('--corruptions', type=_names, metavar='NAME,NAME', help='of ImageNet-C, these corruptions only')
    parser.add_argument('--severities', type=_numbers, metavar='N,N', help='of ImageNet-C, these of 1 to 5 only')
    parser.add_argument(
        '--limit', type=int, metavar='N', help='N pictures of each set only, and of each corruption and severity'
    )
    cli.add_config_wins(parser)
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    args = parser.parse_args(argv)
    form = cli.command('robustness', 'CONFIG', 'MODEL')
    require_kind(args.config, [A_CONFIG], form)
    require_kind(args.model, [*AN_ARTIFACT, A_CHECKPOINT], form)
    config = find_config(args.config)
    read = [args.imagenet, args.imagenet_c, args.imagenet_a, args.imagenet_r, args.imagenet_sketch]
    require_outputs([(args.report, REPORT)], [config, args.model, *filter(None, read)])
    # After the options: a wrong one shall not wait for torch and mmengine.
    from mobileone_mm.robustness.measure import measure
    from mobileone_mm.robustness.sets import Choice, Folders, first_folder

    clean, corrupted, adversarial, renditions, sketches = read
    folders = Folders(clean, corrupted, args.corrupt, adversarial, renditions, sketches)
    given = {'corruptions': args.corruptions, 'severities': args.severities}
    choice = Choice(**{name: value for name, value in given.items() if value is not None})
    results = measure(config, args.model, folders, choice, args.limit, cli.progress, args.config_wins)
    if args.report:
        cli.write_report(args.report, results.as_dict())
    cli.result(results.table())
    if is_artifact(args.model):
        # Of the pictures given: the test data of a shipped config, which `evaluate` reads, need not be on this machine.
        cli.next_command(cli.command('predict', args.model, first_folder(results.parts[0].of)))
    else:
        cli.next_command(cli.command('export', args.config, args.model))
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(','))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(',')))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} given, expected numbers such as 1,3,5') from None

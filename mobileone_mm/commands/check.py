"""`mobileone check`: what a config trains on, looked at before it is trained."""

from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.outputs import CHECK, REPORT, require_outputs

HELP = """example: %(prog)s my_set.py

Counts what each class has (boxes, pixels of masks, or pictures), gives the sizes, lists the faults of the data, and
draws random samples as the training pipeline gives them: NAME_check/samples.jpg. Faults are status 1
(docs/own_data.md)."""

UNOPENED = 'no faults found, but no file was opened: check=False, or data sets without a check'


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, look at the data, say what was found; returns the exit status."""
    parser = cli.parser('check', HELP)
    parser.add_argument('config', help='mmdet, mmseg or mmpretrain config: a file, or the name of a shipped one')
    parser.add_argument('--out', metavar='DIR', help='folder for the samples, new or of an earlier check (NAME_check)')
    parser.add_argument('--samples', type=int, default=12, metavar='N', help='how many are drawn (%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='another seed, other samples (%(default)s)')
    parser.add_argument('--report', metavar='FILE.json', help='write what was found')
    args = parser.parse_args(argv)
    if args.samples < 1:
        raise UsageError(f'`samples`: {args.samples} given, expected a number of pictures from 1')
    config = find_config(args.config)
    out = Path(args.out or f'{config.stem}_check')
    require_outputs([(out, CHECK), (args.report, REPORT)], [config])
    from mobileone_mm.inspection.inspect import inspect, table_of, weights_line

    found = inspect(args.config, out, args.samples, args.seed, args.report and Path(args.report))
    for part, content in found.parts.items():
        for line in table_of(part, content):
            cli.result(line)
    for note in found.notes:
        cli.result(f'note: {note}')
    for part, fault in found.faults.items():
        cli.result(f'fault in {part}: {fault}')
    if not found.faults:
        cli.result('no faults found' if found.checked else UNOPENED)
        if line := weights_line(found, str(config)):
            cli.result(f'for rare classes, in the config: {line}')
    if found.samples:
        cli.result(f'samples: {found.samples}')
    if found.faults:
        cli.say('error: the data cannot be trained on as they are; fix the faults listed above')
        cli.next_command(cli.command('check', args.config))
        return 1
    cli.next_command(cli.command('train', args.config))
    return 0

"""What is installed, what is broken, and the command that fixes it."""

from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.doctor.report import examine, table

HELP = """example: %(prog)s

Prints what is installed, and for each fault the command that fixes it. Status 1 if training or export cannot work."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the mending commands."""
    cli.parser('doctor', HELP).parse_args(argv)
    cli.say('trying what versions cannot tell; up to a minute ...')
    findings = examine()
    cli.result(table(findings))
    blocking = [finding for finding in findings if finding.blocks]
    for finding in findings:
        if finding.mend:
            cli.result(f'\n{finding.item}: {finding.verdict}: {finding.detail}\n    {finding.mend}')
    cli.result(f'\n{len(blocking)} to mend first' if blocking else '\ntraining and export can work')
    cli.next_command(blocking[0].mend if blocking else cli.command('demo'))
    return 1 if blocking else 0

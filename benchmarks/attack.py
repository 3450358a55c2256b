"""Hostile tries of every command: python benchmarks/attack.py [--seed 0] [--minutes 2].

Changes command lines, configs, annotations, pictures, checkpoints, packages and ONNX files at random, kills commands
while they write and lets disks run full, and looks at what comes of each try: *right*, the result is that of the
unchanged input, by another reader, or what the change asks for; *refused*, one line says why, names the file or the
key, and nothing was left or changed; *failed*, anything else. Prints a table, and for each failure the line that
repeats it; status 1 if there was one. Everything in a try follows from the seed, its kind and its number
(benchmarks/attack.md).
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random

from hostile import configs, data, exported, lines, training, weights, writing
from hostile.bases import TASKS, Bases
from hostile.imports import import_all
from hostile.trial import FAILED, OUTCOMES, Plan, Room, Verdict, attempt
from measured import table, write_results
from mobileone_mm import cli

Kind = Callable[[Random, Room, Bases], Plan | Verdict]
KINDS: dict[str, Kind] = {
    'lines': lines.plan,
    'configs': configs.plan,
    'annotations': data.plan_annotations,
    'pictures': data.plan_pictures,
    'checkpoints': weights.plan,
    'backbones': weights.plan_backbone,
    'packages': exported.plan_packages,
    'onnx': exported.plan_onnx,
    'kills': writing.killed,
    'trainings': training.killed,
    'disks': writing.full_disk,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Try until the time is up, print the table; returns the exit status."""
    args = _parser().parse_args(argv)
    import_all()
    kinds = args.only or list(KINDS)
    found: dict[str, list[tuple[int, Verdict]]] = defaultdict(list)
    folder = Path(tempfile.mkdtemp(prefix='attack.'))  # a TemporaryDirectory would go with the first child that ends
    try:
        bases = Bases(Path(args.bases).resolve() if args.bases else folder / 'bases', args.tasks)
        if args.number is not None:
            room = Room(Path(args.keep).resolve() if args.keep else folder / 'try')
            for kind in kinds:
                verdict = tried(kind, args.number, args.seed, room, bases)
                print(f'{kind} {args.number}: {verdict.outcome}: {verdict.what}\n  {verdict.command}\n  {verdict.why}')
            return int(verdict.outcome == FAILED)
        end = time.monotonic() + 60 * args.minutes
        for number in range(args.tries) if args.tries else count():
            for kind in kinds:
                if not args.tries and time.monotonic() > end:
                    break
                verdict = tried(kind, number, args.seed, Room(folder / 'try'), bases)
                found[kind].append((number, verdict))
                if verdict.outcome == FAILED:
                    _say_failure(kind, number, args, verdict)
            else:
                continue
            break
    except KeyboardInterrupt:
        cli.say('stopped')  # what was tried counts
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = counted(found)
    print(text)
    if args.out:
        write_results(
            args.out, 'attack', {'attack.md': f'{text}\n'.encode(), 'attack.json': _as_json(found, args.seed)}
        )
    return int(any(verdict.outcome == FAILED for tries in found.values() for _, verdict in tries))


def tried(kind: str, number: int, seed: int, room: Room, bases: Bases) -> Verdict:
    """Carry out one try."""
    random = Random(f'{seed} {kind} {number}')
    try:
        made = KINDS[kind](random, room, bases)
        return attempt(made, room) if isinstance(made, Plan) else made
    except Exception as error:  # an hour's run shall not end with a fault of its own
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f'{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})'
        return Verdict(FAILED, 'the campaign itself', why, f'attack.py --only {kind} --try {number}', 0)


def _say_failure(kind: str, number: int, args: argparse.Namespace, verdict: Verdict) -> None:
    tasks = '' if tuple(args.tasks) == TASKS else f' --tasks {" ".join(args.tasks)}'
    again = f'python benchmarks/attack.py --seed {args.seed} --only {kind} --try {number} --keep DIR{tasks}'
    cli.say(f'failed: {kind}: {verdict.what}\n  {verdict.command}\n  {verdict.why}\n  again: {again}')


def counted(found: dict[str, list[tuple[int, Verdict]]]) -> str:
    """How many tries of each kind ended how."""
    rows = []
    for kind, tries in found.items():
        counts = Counter(verdict.outcome for _, verdict in tries)
        rows.append([kind, len(tries), *(counts[outcome] for outcome in OUTCOMES)])
    rows.append(['all', *(sum(row[column] for row in rows) for column in range(1, 2 + len(OUTCOMES)))])
    return table(['kind', 'tries', *OUTCOMES], rows)


def _as_json(found: dict[str, list[tuple[int, Verdict]]], seed: int) -> bytes:
    rows = [
        {'kind': kind, 'number': number, **vars(verdict)} for kind, tries in found.items() for number, verdict in tries
    ]
    return json.dumps({'seed': seed, 'tries': rows}, indent=1).encode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, default=0, help='another seed, other tries (%(default)s)')
    parser.add_argument('--minutes', type=float, default=2, help='how long to go on (%(default)s)')
    parser.add_argument('--tries', type=int, help='of each kind, instead of a time')
    parser.add_argument('--only', choices=KINDS, nargs='+', metavar='KIND', help=f'of {", ".join(KINDS)}')
    parser.add_argument('--tasks', choices=TASKS, nargs='+', default=TASKS, help='sets and models of these (all)')
    parser.add_argument('--try', dest='number', type=int, metavar='N', help='this try alone')
    parser.add_argument('--keep', metavar='DIR', help='with --try: leave its folder here')
    parser.add_argument('--bases', metavar='DIR', help='keep what tries start from, and take it from there again')
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder for attack.md and attack.json')
    return parser


if __name__ == '__main__':
    sys.exit(main())

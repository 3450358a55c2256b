"""How long the networks of own_boxes.py's variants take for one picture: in ONNX Runtime on one core, in turns.

    python benchmarks/own_boxes_latency.py photos/
    python benchmarks/own_boxes_latency.py photos/ --variants init input_416 --rounds 10

Trains nothing: latency does not depend on the weights. Networks are fused, with softmax and decoding.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from measured import table
from mobileone_mm import cli
from own_boxes import VARIANTS, config_text, network_of, require_variants, written
from timing import Sampler, in_onnx_runtime, turn_options, watched

USUAL = ('template', 'init', 'coarser_maps')


def main(argv: Sequence[str] | None = None) -> int:
    """Time the networks and print a table; returns the exit status."""
    args = _parser().parse_args(argv)
    require_variants(args.variants)
    with TemporaryDirectory() as folder:
        samplers = {name: sampler_of(str(args.data), name, Path(folder)) for name in args.variants}
    times, setting = watched(samplers, args.rounds, args.runs)
    rows = [[name, VARIANTS[name].why, str(times[name])] for name in args.variants]
    cli.result(table(['', 'what differs', 'ms: fastest (median)'], rows))
    for name in ('processor', 'threads', 'runs', 'versions', 'other processes'):
        if name in setting:
            cli.say(f'{name}: {setting[name]}')
    return 0


def sampler_of(data: str, name: str, folder: Path) -> Sampler:
    """Times the network of a variant."""
    config = folder / f'{name}.py'
    text = config_text(written(data, VARIANTS[name]), name, seed=0, epochs=1, weights=Path('none.pth'))
    config.write_text(text, encoding='utf-8')
    return in_onnx_runtime(*network_of(config))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, metavar='DATA', help='folder with boxes, as for `mobileone init`')
    parser.add_argument(
        '--variants', nargs='+', default=[*USUAL], metavar='NAME', help=f'some of {", ".join(VARIANTS)}'
    )
    turn_options(parser)
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))

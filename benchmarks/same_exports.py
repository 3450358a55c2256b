"""Whether two states of this repository export the same: what their exports say and hold, stored and compared.

    python benchmarks/same_exports.py store FOLDER --root CHECKOUT demo_ssd.py best.pth bccd.py best.pth
    python benchmarks/same_exports.py compare FOLDER OTHER

`store` exports each config and checkpoint, and an 80-class S2 with random weights, as a Core ML package and as ONNX
files with the tools of CHECKOUT, and writes what came out as JSON: every check, the metadata less versions and paths,
the digest of the weights, and that of the ONNX file's bytes less its metadata. `compare` says what differs.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

S2 = """
import sys
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
config = Config.fromfile('configs/detection/ssd_mobileone_s2.py')
init_default_scope('mmdet')
torch.manual_seed(0)
model = MODELS.build(config.model)
for norm in (module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)):
    norm.momentum = None
with torch.no_grad():
    model.train()(torch.randn(4, 3, 320, 320))  # statistics that keep what goes through the network in range
torch.save({'meta': {}, 'state_dict': model.state_dict()}, sys.argv[1])
"""
NOT_COMPARED = {'versions', 'config', 'checkpoint'}
DIGITS = 6  # of what was measured


def main() -> int:
    """Store or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('action', choices=('store', 'compare'))
    parser.add_argument('folder', type=Path)
    parser.add_argument('others', nargs='+', help='configs and checkpoints in turn; to compare, the other folder')
    parser.add_argument('--root', type=Path, default=Path.cwd(), help='the checkout whose tools are used')
    args = parser.parse_args()
    if args.action == 'compare':
        return compare(args.folder, Path(args.others[0]))
    args.folder.mkdir(parents=True, exist_ok=True)
    subjects = dict(zip(args.others[::2], args.others[1::2], strict=True))
    weights = args.folder / 's2.pth'
    if not weights.is_file():
        run(args.root, ['-c', S2, str(weights.resolve())])
    subjects['configs/detection/ssd_mobileone_s2.py'] = str(weights.resolve())
    for config, checkpoint in subjects.items():
        name = Path(config).stem
        store(args, f'{name}.package', config, checkpoint, f'{name}.mlpackage')
        store(args, f'{name}.onnx', config, checkpoint, f'{name}.onnx')
        store(args, f'{name}.nms', config, checkpoint, f'{name}_nms.onnx', '--nms')
    return 0


def run(root: Path, words: list[str]) -> None:
    """Run Python with the package of a checkout."""
    environment = {**os.environ, 'PYTHONPATH': str(root.resolve())}
    subprocess.run([sys.executable, *words], cwd=root, env=environment, check=True)


def store(args: argparse.Namespace, name: str, config: str, checkpoint: str, out: str, *options: str) -> None:
    """Export, and write what came out."""
    path, report = (args.folder.resolve() / file for file in (out, f'{name}.report.json'))
    words = ['tools/export.py', config, checkpoint, '--out', str(path), '--report', str(report), *options]
    if 's2' in name and out.endswith('.mlpackage'):
        words += ['--precision', 'fp32']  # random weights are too much for float16
    run(args.root, words)
    made = json.loads(report.read_text())
    said: dict[str, Any] = {key.removeprefix('mobileone_mm.'): json.loads(text) for key, text in made['info'].items()}
    kept = {key: value for key, value in said.items() if key not in NOT_COMPARED}
    kept |= {'ladder': made['ladder'], 'operations': made['operations'], 'bytes of the graph': digest(path)}
    (args.folder / f'{name}.json').write_text(json.dumps(rounded(kept), indent=1, sort_keys=True))


def digest(path: Path) -> str:
    """SHA-256 of the weights of a package, or of an ONNX file without its metadata."""
    if path.is_dir():
        return hashlib.sha256(next(path.rglob('weight.bin')).read_bytes()).hexdigest()
    import onnx

    model = onnx.load(path)
    model.ClearField('metadata_props')
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def rounded(value: Any) -> Any:
    """The same, with numbers to some digits."""
    if isinstance(value, float):
        return float(f'{value:.{DIGITS}g}')
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def compare(one: Path, other: Path) -> int:
    """Print what differs; returns the exit status."""
    differing = 0
    for path in sorted(one.glob('*.json')):
        if path.name.endswith('.report.json'):
            continue
        left, right = (json.loads((folder / path.name).read_text()) for folder in (one, other))
        for key in sorted({*left, *right}):
            if left.get(key) != right.get(key):
                differing += 1
                print(f'{path.stem}: {key}: {str(left.get(key))[:200]} | {str(right.get(key))[:200]}')
    print(f'{differing} differences')
    return 1 if differing else 0


if __name__ == '__main__':
    raise SystemExit(main())

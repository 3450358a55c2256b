"""How long a segmenter takes for a picture, in ONNX Runtime on one core, by output stride and map stride.

    python benchmarks/segmenter_speed.py               # shipped configs at 512 x 512 px, beside a torchvision model
    python benchmarks/segmenter_speed.py FILE.onnx ... # exported files

Weights do not matter to the time, so the shipped configs run with random ones. Runs are interleaved, so that what else
the machine does falls on all alike. The size is that of the file, in float32.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mobileone_mm import config as shipped
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.onnx.convert import to_onnx
from mobileone_mm.tasks.segmentation.graph import SegmenterGraph
from mobileone_mm.tasks.segmentation.options import SegmentationOptions

SIDE = 512  # px
WARM_UP = 2
RATES = (12, 24, 36)  # of ASPP at stride 8
STRIDES = (8, 16, 32)
MAP_STRIDES = (1, 2, 4, 8)
CLASSES = (21, 32, 150)
STRIDED = ('deeplabv3_light_mobileone_s0_voc', 'deeplabv3_mobileone_s0_voc', 'deeplabv3_light_mobileone_s1_voc')


def main() -> int:
    """Time, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='*', type=Path)
    parser.add_argument('--runs', type=int, default=15)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        files = {path.stem: path for path in args.files} or dict(_shipped(Path(folder)))
        sizes = {name: path.stat().st_size / 1e6 for name, path in files.items()}
        sessions = {name: _session(path) for name, path in files.items()}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for run in range(WARM_UP + args.runs):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, _picture(session))
            if run >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
    print(f'\nmedian of {args.runs} runs, one thread; load {os.getloadavg()[0]:.1f}\n')
    print('| | ms | fastest | MB in float32 |\n| --- | --- | --- | --- |')
    for name, spent in times.items():
        print(f'| {name} | {statistics.median(spent):.0f} | {min(spent):.0f} | {sizes[name]:.1f} |')
    return 0


def _shipped(folder: Path) -> Iterator[tuple[str, Path]]:
    """What is written of the shipped configs: a name and its file."""
    for name in STRIDED:
        for stride in STRIDES:
            yield f'{name}, output stride {stride}', _written(folder, name, stride, 21, 1)
    for classes in CLASSES:
        for map_stride in MAP_STRIDES:
            words = f'{STRIDED[0]}, {classes} classes, map stride {map_stride}'
            yield words, _written(folder, STRIDED[0], 16, classes, map_stride)
    yield 'torchvision deeplabv3_mobilenet_v3_large, 21 classes', _peer(folder)


def _written(folder: Path, name: str, output_stride: int, classes: int, map_stride: int) -> Path:
    settings = Config.fromfile(shipped(name)).model
    settings.backbone.update(output_stride=output_stride, init_cfg=None)
    settings.decode_head.dilations = (1, *(rate * 8 // output_stride for rate in RATES))
    for head in (settings.decode_head, settings.auxiliary_head):
        head.num_classes = classes
    init_default_scope('mmseg')
    model = fuse(MODELS.build(settings).eval())
    graph = SegmenterGraph(model, (SIDE, SIDE), SegmentationOptions(map_stride=map_stride)).eval()
    path = folder / f'{name}.{output_stride}.{classes}.{map_stride}.onnx'
    path.write_bytes(to_onnx(graph.packaged(logits=False, as_picture=False), name).SerializeToString())
    return path


def _peer(folder: Path) -> Path:
    """Scores at full size and the choice of a class, as torchvision gives them."""
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    class Chosen(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            chosen: torch.Tensor = self.model(image)['out'].argmax(dim=1)
            return chosen

    path = folder / 'torchvision.onnx'
    torch.onnx.export(
        Chosen().eval(), (torch.zeros(1, 3, SIDE, SIDE),), path, input_names=['image'], external_data=False
    )
    return path


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def _picture(session: Any) -> dict[str, np.ndarray]:
    image = session.get_inputs()[0]
    values = np.random.default_rng(0).uniform(0, 255, image.shape)
    return {image.name: values.astype(np.float32 if 'float' in image.type else np.uint8)}


if __name__ == '__main__':
    raise SystemExit(main())

"""How many pictures a second one core can feed to a training: the hosts' pipelines beside the same in one warp.

    python benchmarks/pipeline.py --out FOLDER

Of each set, both pipelines take turns in one process: a round each, over the same pictures with the same seeds, as a
loader's worker runs them (one thread, files in the system's cache). Reported is the median over the rounds. The sets
are those of MOBILEONE_MM_DATA (benchmarks/bccd.md), and one of 1920 x 1080 px that is made of them.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, init_default_scope

from measured import results_kind, table, write_results
from mobileone_mm import cli
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.configs import find_config
from mobileone_mm.outputs import require_outputs
from pipeline_draws import apart, drawn
from timing import Watch, setting

WHAT, FILES = 'pipelines', ('pipeline.md', 'pipeline.json')
DATA = 'MOBILEONE_MM_DATA'
ONE_WARP, OWN_LOADER = 'mobileone_mm.OneWarp', 'mobileone_mm.LoadMask'
HD = (1920, 1080)  # px
HD_PICTURES = 24
PICTURES, ROUNDS = 24, 15
HOSTS = {'detection': 'mmdet', 'segmentation': 'mmseg', 'classification': 'mmpretrain'}
CONFIGS = ('ssd_mobileone_s0', 'deeplabv3_light_mobileone_s0_own_masks', 'mobileone_s0_own_classes')
Info = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Feed:
    """A set, and what a training makes of its pictures.

    Attributes:
        name: of the set.
        task: 'detection', 'segmentation' or 'classification'.
        infos: of its pictures.
        steps: of the shipped config for such sets, as the host runs them.
    """

    name: str
    task: str
    infos: Sequence[Info]
    steps: Sequence[dict[str, Any]]


def feeds(data: Path, folder: Path) -> list[Feed]:
    """The sets and pipelines that are measured.

    Args:
        data: with the real sets.
        folder: for the set that is made.
    """
    boxes, masks, classes = (Config.fromfile(find_config(name)).train_pipeline for name in CONFIGS)
    coco = {
        'type': 'mobileone_mm.CocoDataset',
        'data_root': str(data / 'coco_small'),
        'ann_file': 'annotations/instances_train2017.json',
        'data_prefix': {'img': 'images/train2017'},
        'metainfo': {'classes': _coco_classes(data)},
    }
    bccd = {
        'type': 'mobileone_mm.VOCDataset',
        'data_root': str(data / 'bccd_voc'),
        'ann_file': 'ImageSets/Main/train.txt',
        'data_prefix': {'sub_data_root': ''},
        'metainfo': {'classes': ('RBC', 'WBC', 'Platelets')},
    }
    camvid = {
        'type': 'mobileone_mm.MaskDataset',
        'data_root': str(data / 'camvid_small'),
        'data_prefix': {'img_path': 'images/train', 'seg_map_path': 'annotations/train'},
        'metainfo': {'classes': tuple(Path(data / 'camvid_small/classes.txt').read_text().split())},
        'ignore_index': 11,
        'part': 'all',
    }
    flowers = {
        'type': 'mobileone_mm.ClassFolderDataset',
        'data_root': str(data / 'flowers5'),
        'data_prefix': {'img_path': 'train'},
        'metainfo': {'classes': ('daisy', 'dandelion', 'roses', 'sunflowers', 'tulips')},
    }
    scenes = infos_of('mmdet', coco)
    return [
        Feed('BCCD', 'detection', infos_of('mmdet', bccd), boxes),
        Feed('coco_small', 'detection', scenes, boxes),
        Feed('1920 x 1080', 'detection', enlarged(scenes, folder), boxes),
        Feed('CamVid', 'segmentation', infos_of('mmseg', camvid), masks),
        Feed('flowers5', 'classification', infos_of('mmpretrain', flowers), classes),
    ]


def _coco_classes(data: Path) -> tuple[str, ...]:
    file = data / 'coco_small/annotations/instances_train2017.json'
    return tuple(one['name'] for one in json.loads(file.read_text())['categories'])


def infos_of(host: str, dataset: dict[str, Any]) -> list[Info]:
    """What a data set knows of each picture that it trains on, anew each time."""
    init_default_scope(host)
    built = DATASETS.build({**dataset, 'pipeline': []})
    return [lambda index=index: built.get_data_info(index) for index in range(len(built))]  # type: ignore[misc]


def enlarged(infos: Sequence[Info], folder: Path) -> list[Info]:
    """The first pictures with boxes at 1920 x 1080 px, as JPEG files in a folder."""
    found: list[Info] = []
    for index, info in enumerate(one() for one in infos[:HD_PICTURES]):
        picture = cv2.imread(info['img_path'])
        path = folder / f'{index}.jpg'
        cv2.imwrite(str(path), cv2.resize(picture, HD, interpolation=cv2.INTER_CUBIC))
        zoom = np.tile(np.array(HD) / picture.shape[1::-1], 2)
        boxes = [{**one, 'bbox': list(np.array(one['bbox']) * zoom)} for one in info['instances']]
        found.append(
            lambda info=info, path=path, boxes=boxes: {  # type: ignore[misc]
                **info,
                'img_path': str(path),
                'width': HD[0],
                'height': HD[1],
                'instances': [dict(one) for one in boxes],
            }
        )
    return found


def pipelines_of(feed: Feed) -> dict[str, Any]:
    """The host's pipeline, with its own loader of masks, and ours of the same steps."""
    init_default_scope(HOSTS[feed.task])
    theirs = [{**step, 'type': 'LoadAnnotations'} if step['type'] == OWN_LOADER else step for step in feed.steps]
    return {'host': Compose(theirs), 'one warp': Compose([{'type': ONE_WARP, 'transforms': feed.steps}])}


def rates(feed: Feed, rounds: int, pictures: int) -> dict[str, float]:
    """Pictures a second of both pipelines: medians over rounds, of which a first one does not count."""
    pipelines = pipelines_of(feed)
    found: dict[str, list[float]] = {name: [] for name in pipelines}
    for turn in cli.progress(range(rounds + 1), feed.name):
        for name, pipeline in pipelines.items():
            samples = [feed.infos[(turn * pictures + one) % len(feed.infos)]() for one in range(pictures)]
            np.random.seed(turn)
            begun = time.process_time()
            for sample in samples:
                pipeline(sample)
            found[name].append(pictures / (time.process_time() - begun))
    return {name: statistics.median(values[1:]) for name, values in found.items()}


def drawn_alike(feed: Feed, draws: int) -> list[list[str]]:
    """Rows: how far statistics of both pipelines lie apart, with other seeds for each, and what is refused."""
    steps = [step for step in feed.steps if step['type'] not in ('PhotoMetricDistortion', 'PackDetInputs')]
    host, ours = pipelines_of(Feed(feed.name, feed.task, feed.infos, steps)).values()
    samples = [drawn(host, feed.infos, range(draws)), drawn(ours, feed.infos, range(draws, 2 * draws))]
    return [[feed.name, name, f'{far:.4f}', f'{most:.4f}'] for name, (far, most) in apart(*samples).items()]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; returns the exit status."""
    args = _parser().parse_args(argv)
    root = os.environ.get(DATA)
    if not root:
        raise UsageError(f'{DATA} is not set, expected the folder with the sets (benchmarks/bccd.md lists them)')
    require_outputs([(args.out, results_kind(WHAT, FILES))], [])
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    watch = Watch.start()
    with tempfile.TemporaryDirectory() as folder:
        some = [one for one in feeds(Path(root) / 'data', Path(folder)) if not args.sets or one.name in args.sets]
        if args.draws:
            rows = [row for feed in some if feed.task == 'detection' for row in drawn_alike(feed, args.draws)]
            head = ['set', 'statistic', 'apart', 'refused from']
        else:
            found = [(feed, rates(feed, args.rounds, args.pictures)) for feed in some]
            rows = [
                [
                    feed.name,
                    feed.task,
                    *(f'{value:.0f}' for value in one.values()),
                    f'{one["one warp"] / one["host"]:.1f}',
                ]
                for feed, one in found
            ]
            head = ['set', 'task', "host's, pictures/s", 'one warp, pictures/s', 'ratio']
    words = setting(args.rounds, args.pictures, watch.others())
    kept = {key: words[key] for key in ('processor', 'threads', 'versions', 'other processes') if key in words}
    text = f'{table(head, rows)}\n\n{table(["setting", ""], kept.items())}'
    cli.result(text)
    if args.out:
        report = json.dumps({'settings': kept, 'rows': [dict(zip(head, row, strict=True)) for row in rows]}, indent=1)
        write_results(args.out, WHAT, dict(zip(FILES, (f'{text}\n'.encode(), report.encode()), strict=True)))
        cli.say(f'written: {args.out}')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sets', nargs='+', metavar='NAME', help='only these, as they are called in the table (all)')
    parser.add_argument('--rounds', type=int, default=ROUNDS, help=f'turns that each pipeline gets ({ROUNDS})')
    parser.add_argument('--pictures', type=int, default=PICTURES, help=f'in a turn ({PICTURES})')
    parser.add_argument('--draws', type=int, help='instead, so many draws of each pipeline for boxes, compared')
    parser.add_argument('--out', type=Path, metavar='DIR', help=f'folder for {" and ".join(FILES)}')
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))

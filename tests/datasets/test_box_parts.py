"""Sets of boxes without validation images of their own: a fifth is held out, and scored alone."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.evaluation import CocoMetric as MMDetCocoMetric
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from own_folders import SIZE, write_coco, write_voc

from mobileone_mm.datasets.coco import CocoDataset
from mobileone_mm.datasets.voc import VOCDataset
from mobileone_mm.errors import DataError

CLASSES = ('cat', 'dog', 'owl')
RARE = (3, 8)  # the images that have an owl too
COUNT = 12
FILE, LIST = 'annotations/instances_train.json', 'ImageSets/Main/train.txt'


def coco(root: Path) -> Callable[..., Any]:
    if not root.exists():
        write_coco(root, counts=(COUNT, 0), categories=CLASSES)
        content = json.loads((root / FILE).read_text())
        for number in RARE:
            owl = {'image_id': number, 'category_id': 5, 'bbox': [1, 1, 20, 20], 'area': 400, 'iscrowd': 0}
            content['annotations'].append({'id': 1000 + number, **owl})
        (root / FILE).write_text(json.dumps(content))
    options = {'ann_file': FILE, 'data_prefix': {'img': 'train/'}, 'metainfo': {'classes': CLASSES}}
    return lambda part, **more: CocoDataset(data_root=str(root), part=part, **options, **more)


def voc(root: Path) -> Callable[..., Any]:
    if not root.exists():
        write_voc(root, count=COUNT)
        (root / LIST).write_text('\n'.join(map(str, range(COUNT))))
        for number in RARE:
            xml = root / f'Annotations/{number}.xml'
            xml.write_text(xml.read_text().replace('>cat<', '>owl<'))
    options = {'ann_file': LIST, 'data_prefix': {'sub_data_root': ''}, 'metainfo': {'classes': CLASSES}}
    return lambda part, **more: VOCDataset(data_root=str(root), part=part, **options, **more)


def turned_coco(root: Path) -> None:
    content = json.loads((root / FILE).read_text())
    for key in ('images', 'annotations'):
        content[key].reverse()
    (root / FILE).write_text(json.dumps(content))


def turned_voc(root: Path) -> None:
    (root / LIST).write_text('\n'.join(reversed((root / LIST).read_text().split('\n'))))


SETS = {'coco': (coco, turned_coco), 'voc': (voc, turned_voc)}


def paths(dataset: Any) -> list[str]:
    return [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]


@pytest.mark.parametrize('kind', SETS)
def test_parts_are_disjoint_together_everything_and_always_the_same(kind: str, tmp_path: Path) -> None:
    make, turn = SETS[kind]
    read = make(tmp_path / 'set')
    train, val = paths(read('train')), paths(read('val', test_mode=True))
    assert sorted([*train, *val]) == sorted(paths(read('all')))
    assert len({*train, *val}) == len(train) + len(val) == COUNT
    assert len(val) == 2
    assert paths(read('val')) == val  # whatever it is for
    turn(tmp_path / 'set')
    assert paths(read('val')) == val[::-1]
    assert len(paths(read('val', val_share=0.5))) == COUNT // 2


@pytest.mark.parametrize('kind', SETS)
@pytest.mark.parametrize('seed', range(6))
def test_a_class_of_two_images_keeps_one_in_training(kind: str, seed: int, tmp_path: Path) -> None:
    train = SETS[kind][0](tmp_path / 'set')('train', val_share=0.8, seed=seed, check=False)
    labels = {one['bbox_label'] for index in range(len(train)) for one in train.get_data_info(index)['instances']}
    assert labels == {0, 1, 2}


@pytest.mark.parametrize('kind', SETS)
def test_each_part_says_what_it_holds_and_the_faults_of_its_own(
    kind: str, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    read = SETS[kind][0](tmp_path / 'set')
    broken = Path(paths(read('train'))[0])
    assert any(f"part 'train': {COUNT - 2} images, " in record.getMessage() for record in log.records)
    broken.write_bytes(b'')
    assert len(read('val')) == 2
    with pytest.raises(DataError, match=broken.name):
        read('train')


@pytest.mark.parametrize('kind', SETS)
def test_what_cannot_be_split_is_refused(kind: str, tmp_path: Path) -> None:
    read = SETS[kind][0](tmp_path / 'set')
    with pytest.raises(DataError, match="part='test' given, expected one of all, train, val"):
        read('test')
    if kind == 'voc':
        (tmp_path / 'set' / LIST).write_text('1')
    else:
        content = json.loads((tmp_path / 'set' / FILE).read_text())
        content['images'], content['annotations'] = content['images'][:1], []
        (tmp_path / 'set' / FILE).write_text(json.dumps(content))
    with pytest.raises(DataError, match=r'train\.(json|txt): 1 images cannot be split into training and validation'):
        read('train')


def found_in(dataset: Any) -> list[dict[str, Any]]:
    """Predictions for a part's images: the true boxes moved a little, and some that are of nothing."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        boxes = torch.tensor([one['bbox'] for one in info['instances']]).float()
        moved = torch.cat([boxes + 3 * torch.rand(boxes.shape, generator=generator), torch.rand(2, 4) + 5])
        labels = torch.tensor([one['bbox_label'] for one in info['instances']] + [0, 1])
        scores = torch.rand(len(moved), generator=generator)
        samples.append(
            {
                'img_id': info['img_id'],
                'ori_shape': SIZE[::-1],
                'pred_instances': {'bboxes': moved, 'labels': labels, 'scores': scores},
            }
        )
    return samples


def scores(metric: Any, samples: Sequence[dict[str, Any]]) -> dict[str, float]:
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': CLASSES}
    evaluator.process(samples)
    return dict(evaluator.evaluate(len(samples)))


def test_the_metric_counts_the_images_that_are_held_out(tmp_path: Path) -> None:
    dataset = coco(tmp_path / 'set')('val', test_mode=True)
    samples, whole = found_in(dataset), tmp_path / 'set' / FILE
    content = json.loads(whole.read_text())
    ids = {sample['img_id'] for sample in samples}
    content['images'] = [image for image in content['images'] if image['id'] in ids]
    content['annotations'] = [one for one in content['annotations'] if one['image_id'] in ids]
    (tmp_path / 'part.json').write_text(json.dumps(content))
    options = {'classwise': True, 'metric': 'bbox'}
    expected = scores(MMDetCocoMetric(ann_file=str(tmp_path / 'part.json'), **options), samples)
    ours = METRICS.build({'type': 'mobileone_mm.CocoMetric', 'ann_file': str(whole), **options})
    assert scores(ours, samples) == pytest.approx(expected, nan_ok=True, rel=0, abs=0)
    assert 0.2 < expected['coco/bbox_mAP'] < 1
    missed = scores(MMDetCocoMetric(ann_file=str(whole), **options), samples)
    assert missed['coco/bbox_mAP'] < 0.5 * expected['coco/bbox_mAP']  # all that nobody looked for

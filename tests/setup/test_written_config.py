"""The configs that are written: what stands in them, that they load, build and train, and a package of one."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from odd_names import FOLDER, NAMES
from own_folders import CLASSES, tiny_ssd, write_coco, write_masks, write_voc, written
from small_classes import write_set

from feeding_chains import ONE_WARP, written_steps
from mobileone_mm import cli
from mobileone_mm.artifact.ladder import first_failed
from mobileone_mm.commands import fuse, train
from mobileone_mm.errors import ConfigError, DataError, UsageError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.inputs import test_size_hw as size_hw_of
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.openmmlab.test_data import open_dataset
from mobileone_mm.openmmlab.trained_with import read_config
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.setup.by_layout import propose
from mobileone_mm.setup.proposal import Proposal, Wishes
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.weights import checkpoint
from tiny_detector import export_tiny, lively

SIDE = 96  # px of the input
OFF = 'persistent_workers=False'
LONGEST = 120  # characters
ROOT = Path(__file__).parents[2]
# Of a tiny network: in float32, and of a package in its own float16 (docs/package.md).
SCORES, BOXES, PACKAGE_SCORES = 5e-5, 1e-4, 5e-3


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def masks(root: Path) -> Path:
    (root / 'val').mkdir(parents=True)
    write_masks(root, 'images/train', 'masks/train', ids=(0, 1, 2, 11))
    write_masks(root, 'images/val', 'masks/val', count=2, ids=(0, 1, 2, 11))
    (root / 'val').rmdir()
    (root / 'classes.txt').write_text('ground\ncat\ndog\n')
    return root


def unparted_coco(root: Path) -> None:
    write_coco(root, files=('result.json', 'val.json'), folders=('images', 'val'), counts=(10, 0))
    (root / 'val.json').unlink()


def unparted_voc(root: Path) -> None:
    write_voc(root)
    (root / 'ImageSets/Main/val.txt').unlink()


MAKERS: dict[str, Callable[[Path], object]] = {
    'coco': write_coco,
    'unparted coco': unparted_coco,
    'voc': write_voc,
    'unparted voc': unparted_voc,
    'masks': masks,
    'classes': lambda root: write_set(root, cat=6, dog=6),
}


@pytest.mark.parametrize('kind', MAKERS)
def test_a_config_loads_and_builds_as_it_is_written(kind: str) -> None:
    MAKERS[kind](Path('data'))
    proposal = propose('data', Wishes())
    config = configs.load_config(written(proposal))
    init_default_scope(config.default_scope)
    with torch.device('meta'):
        configs.build_model(config)
    dataset = config.train_dataloader.dataset
    expected = ('ground', 'cat', 'dog') if kind == 'masks' else CLASSES
    assert tuple(dataset.metainfo.classes) == expected
    assert dataset.data_root == 'data/'
    if kind != 'classes':
        assert config.model.backbone.train_impl == 'auto'
    lines = proposal.text.splitlines()
    assert all(len(line) <= LONGEST for line in lines)
    assert [line for line in lines if line.startswith('# --- ')][1].startswith('# --- chosen for ')
    assert lines[0] == proposal.text.partition('\n')[0]
    assert 'written by `mobileone init`' in lines[0]


def test_small_boxes_get_a_stride_8_map_and_anchors_of_their_size() -> None:
    write_coco(Path('data'), side=8)
    proposal = propose('data', Wishes(input_size=(SIDE, SIDE)))
    model = configs.load_config(written(proposal)).model
    assert tuple(model.backbone.out_indices) == (1, 2, 3)
    assert model.neck is None  # no box is so large that the backbone's own maps would be too fine
    assert tuple(model.bbox_head.in_channels) == (128, 256, 1024)
    generator = model.bbox_head.anchor_generator
    assert (generator.type, generator.strides) == ('YOLOAnchorGenerator', [8, 16, 32])
    assert all(7 <= width <= 9 and 10 <= height <= 14 for width, height in generator.base_sizes[0])  # 64 px become 96
    assert (
        '100 % of the boxes are smaller than 24 px at this size, so there is a map of stride 8. Without it, anchors'
        in proposal.text
    )
    assert 'None is larger than 131 px, so the maps of the backbone are enough.' in proposal.text
    assert 'Expand' in re.findall(r"if step\['type'\] not in .*", proposal.text)[0]  # sizes hardly vary


def small_boxes_and_large(large: int) -> Proposal:
    """What is proposed for a set of 240 boxes of which so many are large, and the others small."""
    write_coco(Path('data'), side=4, counts=(60, 2))
    path = Path('data/annotations/instances_train.json')
    content = json.loads(path.read_text())
    for one in content['annotations'][:large]:
        one.update(bbox=[10, 5, 70, 50], area=3500)
    path.write_text(json.dumps(content))
    return propose('data', Wishes())


def test_few_large_boxes_need_no_coarser_maps() -> None:
    proposal = small_boxes_and_large(1)
    said = 'Under 1 % are larger than 174 px, so the maps of the backbone are enough.'
    assert said in proposal.text.replace('\n# ', ' ')
    assert configs.load_config(written(proposal)).model.neck is None


def test_for_large_boxes_beside_small_ones_a_neck_adds_coarser_maps() -> None:
    proposal = small_boxes_and_large(60)
    assert '25 % are larger than 174 px, so the neck adds coarser maps.' in proposal.text.replace('\n# ', ' ')
    config = configs.load_config(written(proposal))
    assert tuple(config.model.neck.in_channels) == (128, 256, 1024)
    assert tuple(config.model.neck.out_channels) == tuple(config.model.bbox_head.in_channels) == (128, 256, 1024, 512)
    assert config.model.bbox_head.anchor_generator.strides == [8, 16, 32, 64]
    config.model.backbone.init_cfg = None
    detector = configs.build_model(config)
    with torch.no_grad():
        maps = detector.eval().extract_feat(torch.zeros(1, 3, 320, 320))
    assert [tuple(one.shape[1:]) for one in maps] == [(128, 40, 40), (256, 20, 20), (1024, 10, 10), (512, 5, 5)]


def test_large_boxes_do_without() -> None:
    write_coco(Path('data'), side=40)
    model = configs.load_config(written(propose('data', Wishes()))).model
    assert tuple(model.backbone.out_indices) == (2, 3)
    assert model.bbox_head.anchor_generator.strides == [16, 32, 64, 107, 160, 320]


def test_nothing_of_the_pipelines_is_lost() -> None:
    """What is chosen is in the pipeline that trains: a base whose steps have other names would drop it silently."""
    write_coco(Path('data'), side=8, counts=(24, 2))
    config = configs.load_config(written(propose('data', Wishes(input_size=(160, 160)))))
    train, test = (written_steps(config[f'{part}_dataloader'].dataset.pipeline) for part in ('train', 'test'))
    assert [step.type for step in config.train_dataloader.dataset.pipeline] == [ONE_WARP]
    for steps in (train, test):
        assert [tuple(step.scale) for step in steps if step.type == 'Resize'] == [(160, 160)]
    (flip,) = (step for step in train if step.type == 'RandomFlip')
    assert list(flip.direction) == ['horizontal', 'vertical', 'diagonal']
    kept = {step.type for step in Config.fromfile(configs.find_config('ssd_mobileone_s0')).train_pipeline}
    assert {step.type for step in train} == kept - {'Expand'}


def test_masks_with_an_id_of_no_class() -> None:
    masks(Path('data'))
    proposal = propose('data', Wishes())
    config = configs.load_config(written(proposal))
    assert config.train_dataloader.dataset.ignore_index == 11
    assert tuple(config.input_size) == (96, 64)
    assert config.val_dataloader.dataset.data_prefix == {'img_path': 'images/val', 'seg_map_path': 'masks/val'}
    assert proposal.found[0].startswith('pictures and masks: 5 training pictures, 2 for validation; 96 x 64 px')
    Path('data/classes.txt').write_text('ground\ncat\n')
    with pytest.raises(DataError, match='hold the ids 2, 11, and there are 2 names'):
        propose('data', Wishes())
    fewer = configs.load_config(written(propose('data', Wishes(ignored=(2, 11))), name='fewer.py'))
    assert tuple(fewer.train_dataloader.dataset.ignore_index) == (2, 11)


def test_classes_of_masks_weigh_more_the_rarer_they_are() -> None:
    write_masks(Path('data'), 'images', 'masks', ids=(*[0] * 9, *[1] * 4, 2, 11, 11))
    Path('data/classes.txt').write_text('ground\ncat\ndog\n')
    proposal = propose('data', Wishes())
    model = configs.load_config(written(proposal)).model
    for head in (model.decode_head, model.auxiliary_head):  # roots of 9 / 9, 9 / 4 and 9 / 1, by their mean, 5.5 / 3
        assert head.loss_decode.class_weight == [0.55, 0.82, 1.64]
    above, *_ = proposal.text.partition('class_weight = [')
    assert above.splitlines()[-1].startswith('# ')  # the reason
    assert 'class_weight = None' not in proposal.text


def test_masks_without_a_pixel_of_a_class_have_no_weights() -> None:
    write_masks(Path('data'), 'images', 'masks', ids=(11,))
    proposal = propose('data', Wishes(classes=('ground', 'cat'), ignored=(11,)))
    assert configs.load_config(written(proposal)).class_weight is None


def test_what_is_found_is_said() -> None:
    write_voc(Path('data'))
    found = propose('data', Wishes()).found
    assert found[0] == 'boxes in VOC format: 6 training pictures, 2 for validation; 96 x 64 px'
    assert found[1] == '24 boxes: cat 12, dog 12'
    assert found[2].startswith('box sizes (square root of the area) at 320 x 320 px: ')


@pytest.mark.parametrize('kind', ['coco', 'voc'])
def test_without_pictures_for_validation_a_fifth_of_the_boxes_pictures_is_held_out(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    MAKERS[f'unparted {kind}'](Path('data'))
    proposal = propose('data', Wishes())
    count = 10 if kind == 'coco' else 6
    held = round(count / 5)
    assert f': {count - held} training pictures, {held} for validation; ' in proposal.found[0]
    assert f'# --- chosen for {count - held} pictures with ' in proposal.text
    assert 'for validation in data: a fifth of the pictures is held out' in caplog.text
    config = configs.load_config(written(proposal))
    assert config['val_file' if kind == 'coco' else 'val_list'] is None
    datasets = {part: config[f'{part}_dataloader'].dataset for part in ('train', 'val', 'test')}
    assert {name: one.part for name, one in datasets.items()} == {'train': 'train', 'val': 'val', 'test': 'val'}
    assert len({one.ann_file for one in datasets.values()}) == 1
    read = {name: open_dataset(config, f'{name}_dataloader') for name in ('train', 'val')}
    paths = {name: {one.get_data_info(index)['img_path'] for index in range(len(one))} for name, one in read.items()}
    assert (len(paths['train']), len(paths['val'])) == (count - held, held)
    assert not paths['train'] & paths['val']


@pytest.mark.parametrize('kind', MAKERS)
def test_another_variant_and_size(kind: str) -> None:
    MAKERS[kind](Path('data'))
    proposal = propose('data', Wishes(variant='s2', input_size=(128, 128)))
    config = configs.load_config(written(proposal))
    assert config.model.backbone.arch == 's2'
    init_default_scope(config.default_scope)
    with torch.device('meta'):
        configs.build_model(config)  # channels fit
    if kind == 'masks':
        assert tuple(config.crop_size) == (128, 128)


@pytest.mark.parametrize(('asked', 'input_size', 'train_size'), [(None, 288, 224), ((224, 224), 224, 160)])
def test_classes_are_trained_on_smaller_crops(asked: tuple[int, int] | None, input_size: int, train_size: int) -> None:
    write_set(Path('data'), cat=6, dog=6)
    proposal = propose('data', Wishes(input_size=asked))
    config = configs.load_config(written(proposal))
    steps = written_steps(config.train_dataloader.dataset.pipeline)
    (crop,) = (step for step in steps if step.type == 'RandomResizedCrop')
    assert (size_hw_of(config), crop.scale) == ((input_size, input_size), train_size)
    assert proposal.chosen[0] == f'input {input_size} x {input_size} px, trained on crops of {train_size} px'
    assert ('1.65 times the work on a phone' in proposal.text) == (asked is None)


def test_wishes_that_do_not_fit() -> None:
    masks(Path('masks'))
    write_coco(Path('data'))
    with pytest.raises(ConfigError, match=r'`variant` s4: there is no deeplabv3_light_mobileone_s4_voc; there are'):
        propose('masks', Wishes(variant='s4'))
    with pytest.raises(UsageError, match='`input_size` 320,240: expected one number'):
        propose('data', Wishes(input_size=(320, 240)))
    with pytest.raises(UsageError, match='`variant` s5: expected one of s0, s1'):
        Wishes(variant='s5')
    with pytest.raises(UsageError, match='`input_size` 16,16: expected sides from 64 to 2048 px'):
        Wishes(input_size=(16, 16))
    with pytest.raises(UsageError, match='`classes`: 1 for masks, expected two or more'):
        propose('masks', Wishes(classes=('ground',), ignored=(1, 2, 11)))


def test_a_set_whose_boxes_cannot_be_used_is_refused() -> None:
    write_coco(Path('data'))
    file = Path('data/annotations/instances_train.json')
    file.write_text(re.sub(r'"bbox": \[[^]]*\]', '"bbox": [0, 0, 0, 0]', file.read_text()))
    with pytest.raises(DataError):
        propose('data', Wishes())


def test_names_from_the_folder_are_only_ever_text() -> None:
    name = 'it\'s "one" \\ {x} # y'
    write_coco(Path('da\nta'), categories=('cat', 'dog'))
    for part in ('train', 'val'):
        file = Path(f'da\nta/annotations/instances_{part}.json')
        file.write_text(file.read_text().replace('"cat"', json.dumps(name)))
    config = configs.load_config(written(propose('da\nta', Wishes())))
    assert tuple(config.train_dataloader.dataset.metainfo.classes) == (name, 'dog')


def _named_coco(root: Path, names: Sequence[str] = NAMES) -> None:
    write_coco(root, side=8, counts=(8 + len(names) // 4, 2))
    for file in root.glob('annotations/*.json'):
        content = json.loads(file.read_text())
        content['categories'] = [{'id': index, 'name': name} for index, name in enumerate(names)]
        for index, box in enumerate(content['annotations']):
            box['category_id'] = index % len(names)
        file.write_text(json.dumps(content))


def _named_voc(root: Path, names: Sequence[str] = NAMES) -> None:
    write_voc(root)
    for index, file in enumerate(sorted(root.glob('Annotations/*.xml'))):
        file.write_text(file.read_text().replace('>cat<', f'>{names[index % 6]}<').replace('>dog<', f'>{names[-1]}<'))


def _named_masks(root: Path, names: Sequence[str] = NAMES) -> None:
    write_masks(root, 'images', 'masks', ids=range(min(len(names), 48)))  # of a column of two pixels, at least
    (root / 'classes.txt').write_text('\n'.join(names))


def _named_classes(root: Path, names: Sequence[str] = NAMES) -> None:
    write_set(root, **dict.fromkeys(names, 2))


ODD: dict[str, tuple[Callable[..., None], set[str]]] = {
    'coco': (_named_coco, {*NAMES}),
    'voc': (_named_voc, {*NAMES[:6], NAMES[-1]}),
    'masks': (_named_masks, {*NAMES}),
    'classes': (_named_classes, {*NAMES}),
}


@pytest.mark.parametrize('kind', ODD)
@pytest.mark.parametrize(
    ('names', 'folder'),
    [
        ([f'a class of the number {index}' for index in range(80)], 'photos'),
        (['cat', 'dog', *map(str, range(7))], '/'.join(['a folder of a long name'] * 5)),
        (["a dog's left paw", '\u5927\u718a\u732b' * 12, '\u5c0f\u718a\u732b' * 8, *map(str, range(6))], 'a' * 108),
    ],
    ids=['80 classes', 'a long path', 'wide letters'],
)
def test_it_is_formatted_however_many_and_long_the_names(kind: str, names: Sequence[str], folder: str) -> None:
    ODD[kind][0](Path(folder), names)
    proposal = propose(folder, Wishes())
    file = written(proposal)
    command = [sys.executable, '-m', 'ruff', 'format', '--diff', '--config', ROOT / 'pyproject.toml', file]
    formatted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    long = [line for line in proposal.text.splitlines() if len(line) > LONGEST]
    assert [line for line in long if folder not in line] == []  # a path stays in one piece, in one line
    config = configs.load_config(file)
    assert set(config.classes) <= set(names)
    assert config.data_root == f'{folder}/'


@pytest.mark.parametrize('kind', ODD)
def test_names_that_mmengine_would_replace_stay_what_they_are(kind: str) -> None:
    make, names = ODD[kind]
    make(Path(FOLDER))
    proposal = propose(FOLDER, Wishes())
    assert '{{' not in proposal.text
    config = configs.load_config(written(proposal))
    classes = tuple(config.train_dataloader.dataset.metainfo.classes)
    assert len(classes) == len(names)
    assert set(classes) == names
    assert config.train_dataloader.dataset.data_root == f'{FOLDER}/'
    config.dump('kept.py')
    kept = configs.load_config('kept.py')
    assert kept.to_dict() == config.to_dict()
    assert not Path('PWNED').exists()


def test_names_stay_what_they_are_in_a_training_and_a_fused_model() -> None:
    _named_coco(Path('data'))
    config_file = tiny_ssd(propose('data', Wishes(input_size=(SIDE, SIDE))))
    options = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    options += [f'{part}_dataloader.{key}' for part in ('train', 'val') for key in ('num_workers=0', OFF)]
    odd = f'experiment_name={NAMES[1]}'
    assert cli.run(train.main, [str(config_file), '--work-dir', 'work', '--cfg-options', *options, odd]) == 0
    kept, (weights,) = Path('work/own.py'), Path('work').glob('epoch_1.pth')
    assert cli.run(fuse.main, [str(kept), str(weights), '--out', '{{fileDirname}}.pth']) == 0
    (seen,) = Path('work').glob('*/vis_data/config.py')
    for file in (config_file, kept, seen, Path('{{fileDirname}}.py')):
        assert '{{' not in file.read_text()
        read = configs.load_config(file)
        assert tuple(read.val_dataloader.dataset.metainfo.classes) == NAMES
    assert configs.load_config(kept).experiment_name == NAMES[1]
    for file in (weights, Path('{{fileDirname}}.pth')):
        found = checkpoint.read_checkpoint(file)
        assert tuple(found.classes or ()) == NAMES
        assert '{{' not in found.meta['cfg']
        assert tuple(read_config(found.meta['cfg'])['metainfo']['classes']) == NAMES
    assert not Path('PWNED').exists()


def test_a_detector_trains_and_says_what_its_anchors_reach(capfd: pytest.CaptureFixture[str]) -> None:
    write_coco(Path('data'), side=8, counts=(10, 0))
    Path('data/annotations/instances_val.json').unlink()
    config = configs.load_config(tiny_ssd(propose('data', Wishes(input_size=(SIDE, SIDE)))))
    init_default_scope('mmdet')
    config.work_dir, config.experiment_name = 'work', 'written'
    config.train_cfg.max_epochs = 1
    for part in ('train', 'val'):
        config[f'{part}_dataloader'].update(num_workers=0, persistent_workers=False)
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    convs = [name for name in before if name.endswith('cls_convs.0.1.weight')]
    assert convs
    assert all(not torch.equal(runner.model.state_dict()[name], before[name]) for name in convs)
    out = capfd.readouterr().out
    assert re.search(r'anchors reach \d+ % of the boxes at an IoU of 0\.5 \((cat|dog) \d+ %, (cat|dog) \d+ %\)', out)
    assert out.index('anchors reach') < out.index('Epoch(train)')
    assert 'coco/bbox_mAP' in out


@pytest.fixture
def detector() -> tuple[Path, Path]:
    """Config and checkpoint of a written detector with a stride-8 map, which nobody has trained."""
    write_coco(Path('data'), side=8)
    config_file = tiny_ssd(propose('data', Wishes(input_size=(SIDE, SIDE))))
    torch.manual_seed(0)
    model = lively(configs.build_model(configs.load_config(config_file)), (SIDE, SIDE))
    checkpoint.save_checkpoint(Path('best.pth'), model.state_dict(), {'dataset_meta': {'classes': list(CLASSES)}})
    return config_file, Path('best.pth')


def of_torch(detector: tuple[Path, Path], picture: Picture) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores without background, and boxes as centre and size in fractions, by mmdet's own head and coder."""
    config_file, weights = detector
    model, _ = open_model(configs.load_config(config_file), weights)
    bgr = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).copy())
    with torch.no_grad():
        scores, deltas = model(model.data_preprocessor({'inputs': [bgr]})['inputs'])
    rows = [
        torch.cat([one.permute(0, 2, 3, 1).reshape(-1, size) for one in maps])
        for maps, size in ((scores, len(CLASSES) + 1), (deltas, 4))
    ]
    sizes = [one.shape[-2:] for one in scores]
    assert [tuple(one) for one in sizes] == [(12, 12), (6, 6), (3, 3)]
    priors = torch.cat(model.bbox_head.prior_generator.grid_priors(sizes, device='cpu'))
    corners = model.bbox_head.bbox_coder.decode(priors, rows[1]) / SIDE
    centred = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
    return rows[0].softmax(dim=1)[:, :-1], centred


def test_exports_have_torchs_scores_and_boxes_and_suppression(detector: tuple[Path, Path]) -> None:
    picture = drawn_picture((SIDE, SIDE))
    confidence, coordinates = of_torch(detector, picture)
    assert confidence.std() > 0.05  # scores that say something
    raw = open_artifact(export_tiny(detector, Path('raw.onnx'), nms=False).artifact).predict({'image': picture})
    np.testing.assert_allclose(raw['raw_confidence'], confidence, rtol=0, atol=SCORES)
    np.testing.assert_allclose(raw['raw_coordinates'], coordinates, rtol=0, atol=BOXES)

    report = export_tiny(detector, Path('own.mlpackage'))  # held to the contract with Vision's suppression
    assert first_failed(report.rungs) is None
    found = open_artifact(report.artifact).predict({'image': picture})
    assert {'confidence', 'coordinates'} <= found.keys()
    distances = np.abs(found['confidence'][:, None, : len(CLASSES)] - confidence.numpy()[None]).max(axis=2)
    assert len(distances)
    assert distances.min(axis=1).max() < PACKAGE_SCORES

"""Every shipped config: short, inheriting only from this repository, able to predict, and equal when fused."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmdet.apis import inference_detector
from mmengine.config import Config
from mmseg.apis import inference_model
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from feeding_chains import written_steps
from mobileone_mm import reparam
from mobileone_mm.models.backbones.squeeze_excite import SqueezeExcite
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.centre_crop import CentreCrop, centre_crop_of
from mobileone_mm.openmmlab.classes import class_names
from mobileone_mm.openmmlab.inputs import example_images, input_size_of
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT
from mobileone_mm.weights import names

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in ROOT.glob('configs/*/*.py') if path.parent.name != '_base_')
DETECTORS = [path for path in CONFIGS if path.parent.name == 'detection']
COCO = sorted(ROOT.glob('configs/detection/ssd_mobileone_s?.py'))
DEMO = ROOT / 'configs/segmentation/demo_deeplabv3.py'
DEMO_CLASSIFIER = ROOT / 'configs/classification/demo_mobileone.py'
SEGMENTERS = [path for path in CONFIGS if path.stem.startswith('deeplabv3') and '_own_' not in path.stem]
OWN = sorted(ROOT.glob('configs/detection/ssd_mobileone_s0_own_*.py'))
OWN_SEGMENTER = ROOT / 'configs/segmentation/deeplabv3_light_mobileone_s0_own_masks.py'
CLASSIFIERS = sorted(ROOT.glob('configs/classification/mobileone_s?_in1k.py'))
DISTILLED = sorted(ROOT.glob('configs/classification/mobileone_s?_distill_in1k.py'))
OWN_CLASSES = ROOT / 'configs/classification/mobileone_s0_own_classes.py'
OUTPUT_STRIDE = 16
# The published fused networks without their classifiers of 1,000 classes, and S4 without its 12 squeeze-excites.
FUSED_BACKBONES = {'s0': 1_053_504, 's1': 3_483_840, 's2': 5_759_168, 's3': 8_029_312, 's4': 11_148_544}
# The published classifiers of 1,000 classes: in training, and fused.
PUBLISHED = {
    's0': (5_293_272, 2_078_504),
    's1': (4_825_192, 4_764_840),
    's2': (7_884_648, 7_808_168),
    's3': (10_170_600, 10_078_312),
    's4': (14_951_248, 14_838_352),
}
OWN_MASKS = {'type', 'data_root', 'data_prefix', 'metainfo', 'ignore_index', 'colour_map', 'part', 'pipeline'}
MAX_LINES = 60  # house rule 21
# Six to a cell of each map: strides 16 and 32, then halved and rounded up four times.
PRIORS = {320: 6 * (20**2 + 10**2 + 5**2 + 3**2 + 2**2 + 1), 160: 6 * (10**2 + 5**2 + 3**2 + 2**2 + 1 + 1)}


def name(path: Path) -> str:
    return path.stem


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def bases(path: Path) -> list[str]:
    """The `_base_` entries of a config, read without running it."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            value = ast.literal_eval(node.value)
            return [value] if isinstance(value, str) else list(value)
    return []


def test_there_are_configs() -> None:
    assert len(COCO) == 5
    assert len(SEGMENTERS) == 13
    assert len(OWN) == 2
    assert len(CLASSIFIERS) == 5


@pytest.mark.parametrize('path', [*CONFIGS, *ROOT.glob('configs/_base_/*.py')], ids=name)
def test_is_short_and_inherits_only_from_this_repository(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
    for base in bases(path):
        assert (path.parent / base).resolve().is_relative_to(ROOT / 'configs')


@pytest.mark.parametrize('path', [*COCO, *SEGMENTERS], ids=name)
def test_starts_from_the_official_trained_weights_of_its_variant(path: Path) -> None:
    backbone = Config.fromfile(path).model.backbone
    assert f'_mobileone_{backbone.arch}' in path.stem
    expected = names.OFFICIAL_URLS[backbone.arch, 'trained']
    without_se = {'without_se': True} if backbone.get('se_cfg', True) is None else {}
    assert backbone.init_cfg == {'type': 'Pretrained', 'checkpoint': expected, **without_se}


@pytest.mark.parametrize('path', [path for path in DETECTORS if path not in OWN], ids=name)
def test_predicts_and_fuses(path: Path) -> None:
    config = configs.load_config(path)
    config.model.test_cfg.score_thr = 0.0  # a fresh head gives each class 1 / 81
    model = configs.build_model(config)
    # float64, because fresh weights let activations grow until float32 rounding is all that a comparison sees.
    noise = example_images(config, count=1).double()
    fused, parity = reparam.fuse_checked(model.double(), noise)
    assert reparam.is_fused(fused)
    assert parity.relative <= FLOAT64_RELATIVE_LIMIT
    scores, boxes = fused.float()(noise.float(), mode='tensor')
    channels = len(class_names(config)) + 1  # and background, in mmdet's last column
    priors = PRIORS[noise.shape[-1]]
    assert sum(score.numel() for score in scores) == priors * channels
    assert sum(box.numel() for box in boxes) == priors * 4
    fused.cfg = config
    found = inference_detector(fused, np.zeros((90, 120, 3), np.uint8)).pred_instances
    assert len(found) == config.model.test_cfg.max_per_img
    assert found.labels.max() < channels - 1
    # Back in the picture's own pixels, and its longer side is used.
    assert 90 < found.bboxes[:, 2].max() <= 120
    assert found.bboxes[:, 3].max() <= 90


@pytest.mark.parametrize('path', SEGMENTERS, ids=name)
def test_segments_and_fuses(path: Path) -> None:
    config = configs.load_config(path)
    classes, data_set = (150, 'ADE20KDataset') if path.stem.endswith('ade20k') else (21, 'PascalVOCDataset')
    assert config.test_dataloader.dataset.type == data_set
    assert input_size_of(config) == (512, 512)
    model = configs.build_model(config)
    assert len(class_names(config)) == classes
    # Small, and in float64, because fresh weights let activations grow until only rounding is compared.
    noise = torch.randn(2, 3, 96, 128, dtype=torch.float64)
    fused, parity = reparam.fuse_checked(model.double(), noise)
    assert reparam.is_fused(fused)
    assert not any(isinstance(module, _BatchNorm | SqueezeExcite) for module in fused.modules())
    assert parity.relative <= FLOAT64_RELATIVE_LIMIT
    fused.float().cfg = config
    assert fused(noise.float(), mode='tensor').shape == (2, classes, 96 // OUTPUT_STRIDE, 128 // OUTPUT_STRIDE)
    assert fused.auxiliary_head(fused.backbone(noise.float())).shape[1] == classes
    config.test_dataloader.dataset.pipeline[1].scale = (128, 96)
    found = inference_model(fused, np.zeros((60, 90, 3), np.uint8))
    assert found.pred_sem_seg.data.shape == (1, 60, 90)  # the picture's own pixels


def test_a_config_for_own_masks_works_with_mmsegs_own_inference() -> None:
    config = configs.load_config(OWN_SEGMENTER)
    config.test_pipeline[1].scale = (128, 96)
    model = configs.build_model(config).eval()
    model.cfg = config
    found = inference_model(model, np.zeros((60, 90, 3), np.uint8))
    assert found.pred_sem_seg.data.shape == (1, 60, 90)


def test_the_demos_segmenter_fuses_and_has_logits_for_every_fourth_pixel() -> None:
    config = configs.load_config(DEMO)
    assert input_size_of(config) == (160, 160)
    model = configs.build_model(config)
    noise = example_images(config, count=1).double()
    fused, parity = reparam.fuse_checked(model.double(), noise)
    assert parity.relative <= FLOAT64_RELATIVE_LIMIT
    assert fused(noise, mode='tensor').shape == (1, len(class_names(config)), 160 // 4, 160 // 4)
    assert parameters(fused.backbone) + parameters(fused.decode_head) < 1e6  # what a package holds


@pytest.mark.parametrize('path', SEGMENTERS, ids=name)
def test_a_segmenter_has_its_parameters(path: Path) -> None:
    """Counted by hand: the fused backbone, and the fused head, which is what an exported model holds."""
    with torch.device('meta'):
        model = configs.build_model(configs.load_config(path))
    fused = reparam.fuse(model.to_empty(device='cpu'))
    variant = re.findall(r'_(s\d)_', path.stem)[0]
    assert parameters(fused.backbone) == FUSED_BACKBONES[variant]
    head = model.decode_head
    wide, channels, classes = head.in_channels, head.channels, head.num_classes
    if 'light' in path.stem:
        branches = 2 * (wide + 1) * channels + 3 * (10 * wide + (wide + 1) * channels)
        separable = 2 * (10 * channels + (channels + 1) * channels)
    else:
        branches, separable = (2 * wide + 2 + 3 * (9 * wide + 1)) * channels, 0
    bottleneck = (9 * 5 * channels + 1) * channels
    expected = branches + bottleneck + separable + (channels + 1) * classes
    assert parameters(fused.decode_head) == expected


def test_a_segmenters_data_is_told_apart_from_its_task() -> None:
    """VOC's and ADE20k's differ in data and classes alone."""
    for variant in range(5):
        voc, ade = (
            Config.fromfile(ROOT / f'configs/segmentation/deeplabv3_mobileone_s{variant}_{data}.py')
            for data in ('voc', 'ade20k')
        )
        for head in ('decode_head', 'auxiliary_head'):
            assert (voc.model[head].num_classes, ade.model[head].num_classes) == (21, 150)
            ade.model[head].num_classes = 21
        for key in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks', 'train_pipeline'):
            assert voc[key] == ade[key], key


def test_the_rates_follow_the_output_stride() -> None:
    text = (ROOT / 'configs/_base_/deeplabv3.py').read_text()
    for stride, rates in ((8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9))):
        config = Config.fromstring(text.replace('output_stride = 16', f'output_stride = {stride}'), '.py')
        assert config.model.backbone.output_stride == stride
        assert tuple(config.model.decode_head.dilations) == (1, *rates)


def test_own_data_configs_differ_in_data_alone() -> None:
    coco, voc = (Config.fromfile(path) for path in OWN)
    for key in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'custom_hooks'):
        assert coco[key] == voc[key], key


@pytest.mark.parametrize('path', CLASSIFIERS, ids=name)
def test_classifies_and_fuses_with_the_published_parameters(path: Path, tmp_path: Path) -> None:
    config = configs.load_config(path)
    variant = re.findall(r'_(s\d)_', path.stem)[0]
    assert config.model.backbone == {'type': 'mobileone_mm.MobileOne', 'arch': variant}  # no weights: from scratch
    assert not config.load_from
    assert example_images(config).shape[-2:] == (224, 224)
    model = configs.build_model(config)
    noise = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    fused, parity = reparam.fuse_checked(model.double(), noise)
    assert parity.relative <= FLOAT64_RELATIVE_LIMIT
    assert (parameters(model), parameters(fused)) == PUBLISHED[variant]
    assert fused(noise, mode='tensor').shape == (2, len(class_names(config))) == (2, 1000)
    metafile = yaml.safe_load(path.with_name('metafile.yml').read_text())
    (said,) = [entry['Metadata'] for entry in metafile['Models'] if entry['Name'] == path.stem]
    assert said['Parameters'] == PUBLISHED[variant][1]
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()


def test_the_demos_classifier_fuses_and_sees_whole_pictures(tmp_path: Path) -> None:
    config = configs.load_config(DEMO_CLASSIFIER)
    noise = example_images(config, count=2).double()
    assert noise.shape[-2:] == (96, 96)
    assert centre_crop_of(config) == CentreCrop(short=96, side=96)
    model = configs.build_model(config).double()
    fused, parity = reparam.fuse_checked(model, noise)
    assert parity.relative <= FLOAT64_RELATIVE_LIMIT
    assert fused(noise, mode='tensor').shape == (2, len(class_names(config))) == (2, 3)
    assert parameters(fused) < 1e6  # what a package holds
    assert {'EMAHook', 'SwitchRecipeHook'}.isdisjoint(hook.type for hook in config.custom_hooks)
    config.dump(tmp_path / 'dumped.py')  # as `mim train` and a work folder have it
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()


@pytest.mark.parametrize('size', [32, 224, 250])
def test_own_classes_are_tested_on_the_whole_short_side_which_vision_hands_over(size: int, tmp_path: Path) -> None:
    text = OWN_CLASSES.read_text().replace("'mobileone_s0_", f"'{OWN_CLASSES.parent.as_posix()}/mobileone_s0_")
    (tmp_path / 'own.py').write_text(text.replace('input_size = 288', f'input_size = {size}'))
    crop = centre_crop_of(configs.load_config(tmp_path / 'own.py'))
    assert crop == CentreCrop(size, size)


@pytest.mark.parametrize(
    ('input_size', 'train_size'),
    [
        (288, 224),  # 7/9 of it
        (224, 160),  # in whole strides of 32 px: the nearest to 174
        (384, 288),  # to 299
        (160, 128),  # to 124
        (64, 64),  # to 50
        (32, 32),
    ],
)
def test_own_classes_are_trained_on_smaller_crops_than_they_are_tested_on(
    input_size: int, train_size: int, tmp_path: Path
) -> None:
    text = OWN_CLASSES.read_text().replace("'mobileone_s0_", f"'{OWN_CLASSES.parent.as_posix()}/mobileone_s0_")
    (tmp_path / 'own.py').write_text(text.replace('input_size = 288', f'input_size = {input_size}'))
    config = Config.fromfile(tmp_path / 'own.py')
    assert example_images(config).shape[-2:] == (input_size, input_size)
    (switch,) = (hook for hook in config.custom_hooks if hook.type == 'SwitchRecipeHook')
    for pipeline in (config.train_dataloader.dataset.pipeline, switch.schedule[0].train_pipeline):
        assert [step.scale for step in written_steps(pipeline) if step.type == 'RandomResizedCrop'] == [train_size]


@pytest.mark.parametrize('variant', ['s0', 's3'])
def test_own_classes_and_input_size_stand_in_one_place(variant: str, tmp_path: Path) -> None:
    text = OWN_CLASSES.read_text().replace("'mobileone_s0_", f"'{OWN_CLASSES.parent.as_posix()}/mobileone_{variant}_")
    text = text.replace("classes = ('cat', 'dog')", "classes = ('a', 'b', 'c')").replace('data/own/', 'pictures/')
    (tmp_path / 'own.py').write_text(text.replace('input_size = 288', 'input_size = 160'))
    config = configs.load_config(tmp_path / 'own.py')
    assert configs.build_model(config).head.fc.out_features == config.model.data_preprocessor.num_classes == 3
    for name, folder in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = config[f'{name}_dataloader'].dataset
        validates = {} if name == 'train' else {'apart_from': 'train', 'test_mode': True}
        known = {'type', 'data_root', 'data_prefix', 'metainfo', 'part', 'pipeline'}
        assert {key: value for key, value in dataset.items() if key not in known} == validates
        assert dataset.part == 'all'
        assert tuple(dataset.metainfo.classes) == ('a', 'b', 'c')
        assert (dataset.data_root, dataset.data_prefix) == ('pictures/', {'img_path': folder})
    train, test = (
        {step.type: step for step in written_steps(config[name].dataset.pipeline)}
        for name in ('train_dataloader', 'test_dataloader')
    )
    assert test['CenterCrop'].crop_size == test['ResizeEdge'].scale == 160
    assert train['RandomResizedCrop'].scale == 128
    assert example_images(config).shape[-2:] == (160, 160)
    assert config.model.backbone.init_cfg.checkpoint == names.OFFICIAL_URLS[variant, 'trained']
    assert config.model.backbone.train_impl == 'auto'
    hooks = [hook.type for hook in config.custom_hooks]
    assert hooks.count('EMAHook') == 1
    (switch,) = (hook for hook in config.custom_hooks if hook.type == 'SwitchRecipeHook')
    (last,) = switch.schedule  # the last ten of 30 epochs, neither distorted nor mixed
    assert last.action_epoch == 21
    steps = written_steps(last.train_pipeline)
    assert [step.type for step in steps] == [name for name in train if name != 'RandAugment']
    assert steps[1] == train['RandomResizedCrop']
    assert last.batch_augments is None
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()


def test_own_masks_are_loaded_by_our_transform_and_weights_are_not_averaged(tmp_path: Path) -> None:
    config = configs.load_config(OWN_SEGMENTER)
    assert configs.build_model(config).decode_head.out_channels == 2  # and no warning, as mmseg has for two classes
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = config[loader].dataset
        assert set(dataset) == OWN_MASKS
        steps = [step.type for step in written_steps(dataset.pipeline)]
        assert [step for step in steps if 'Load' in step] == ['LoadImageFromFile', 'mobileone_mm.LoadMask']
    assert all(hook.type != 'EMAHook' for hook in config.custom_hooks)
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()


def test_the_input_size_of_own_masks_is_one_line(tmp_path: Path) -> None:
    path = OWN_SEGMENTER
    base = Config.fromfile(path.with_name('deeplabv3_light_mobileone_s0_voc.py'))
    unchanged = Config.fromfile(path)
    for step, given in zip(base.train_pipeline, unchanged.train_pipeline, strict=True):
        if step.type not in ('LoadAnnotations', 'RandomChoiceResize'):
            assert step == given
    text = path.read_text().replace("'deeplabv3_light", f"'{path.parent.as_posix()}/deeplabv3_light")
    changed = tmp_path / 'own.py'
    changed.write_text(text.replace('input_size = (512, 512)', 'input_size = (320, 256)'))
    config = Config.fromfile(changed)
    train, test = (
        {step.type: step for step in written_steps(config[name].dataset.pipeline)}
        for name in ('train_dataloader', 'test_dataloader')
    )
    assert train['RandomCrop'].crop_size == config.model.data_preprocessor['size'] == (256, 320)
    scales = train['RandomChoiceResize'].scales
    assert (min(scales), max(scales)) == (192, 512)  # 3/4 and twice the short side
    assert test['Resize'].scale == (320, 256)
    assert input_size_of(config) == (320, 256)


@pytest.mark.parametrize(
    ('base', 'stride', 'auxiliary'),
    [
        ('deeplabv3_light_mobileone_s0_voc', 4, 64),
        ('deeplabv3_light_mobileone_s1_voc', 4, 64),
        ('deeplabv3_light_mobileone_s2_voc', 4, 64),
        ('deeplabv3_mobileone_s0_voc', OUTPUT_STRIDE, 256),  # the wide head
    ],
)
def test_own_masks_have_logits_for_every_fourth_pixel_where_the_head_is_light(
    base: str, stride: int, auxiliary: int, tmp_path: Path
) -> None:
    path = ROOT / 'configs/segmentation/deeplabv3_light_mobileone_s0_own_masks.py'
    text = path.read_text().replace("'deeplabv3_light_mobileone_s0_voc", f"'{path.parent.as_posix()}/{base}")
    (tmp_path / 'own.py').write_text(text)
    model = configs.build_model(configs.load_config(tmp_path / 'own.py')).eval()
    noise = torch.randn(1, 3, 64, 96)
    assert model(noise, mode='tensor').shape == (1, 2, 64 // stride, 96 // stride)
    assert model.auxiliary_head(model.backbone(noise)).shape == (1, 2, 64 // OUTPUT_STRIDE, 96 // OUTPUT_STRIDE)
    assert model.auxiliary_head.channels == auxiliary


@pytest.mark.parametrize('path', [path for path in [*DETECTORS, *SEGMENTERS] if 'demo' not in path.stem], ids=name)
def test_boxes_and_masks_are_fed_in_one_warp_that_holds_the_pipeline_as_written(path: Path) -> None:
    config = Config.fromfile(path)
    dataset = config.train_dataloader.dataset
    for part in dataset.get('datasets', [dataset]):
        (step,) = part.pipeline
        assert (step.type, step.transforms) == ('mobileone_mm.OneWarp', config.train_pipeline)


@pytest.mark.parametrize('path', [*CLASSIFIERS, *DISTILLED, OWN_CLASSES], ids=name)
def test_classified_pictures_are_fed_in_one_warp_before_and_after_every_switch(path: Path) -> None:
    config = Config.fromfile(path)
    switches = [hook for hook in config.custom_hooks if hook.type == 'SwitchRecipeHook']
    pipelines = [config.train_dataloader.dataset.pipeline]
    pipelines += [switch.train_pipeline for hook in switches for switch in hook.schedule]
    for pipeline in pipelines:
        assert [step.type for step in pipeline] == ['mobileone_mm.OneWarp']
    names = {OWN_CLASSES: ('train_pipeline', 'plain_pipeline'), **dict.fromkeys(DISTILLED, ('train_pipeline',))}
    written = [config[name] for name in names[path]] if path in names else config.pipelines
    assert [pipeline[0].transforms for pipeline in pipelines] == written


@pytest.mark.parametrize('path', [*OWN, OWN_SEGMENTER], ids=name)
def test_own_data_trains_in_the_time_of_few_branches(path: Path) -> None:
    blocks = [module for module in configs.build_model(configs.load_config(path)).modules() if hasattr(module, 'se')]
    assert blocks
    assert {block.train_impl for block in blocks} == {'auto'}


@pytest.mark.parametrize('path', OWN, ids=name)
def test_own_data_needs_its_classes_in_one_place(path: Path, tmp_path: Path) -> None:
    lines = (
        path.read_text().replace("'ssd_mobileone_s0.py'", repr(str(path.with_name('ssd_mobileone_s2.py')))).splitlines()
    )
    changed = tmp_path / path.name
    changed.write_text('\n'.join("classes = ('one',)" if line.startswith('classes =') else line for line in lines))
    config = Config.fromfile(changed)
    assert config.model.bbox_head.num_classes == 1
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert tuple(config[loader].dataset.metainfo.classes) == ('one',)
    assert config.model.backbone.arch == 's2'

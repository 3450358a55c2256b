"""A user's own config: what it holds, and that it works in any folder and in the processes that training starts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from odd_names import FOLDER, NAMES

from feeding_chains import written_steps
from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.inputs import test_size_hw as size_hw_of
from mobileone_mm.openmmlab.own_config import own_config, templates, with_settings
from mobileone_mm.openmmlab.shipped import config

COCO, VOC = 'ssd_mobileone_s0_own_coco', 'ssd_mobileone_s0_own_voc'
MASKS = 'deeplabv3_light_mobileone_s0_own_masks'
CLASSES = 'mobileone_s0_own_classes'
HEADS = {CLASSES: 'head', COCO: 'bbox_head', VOC: 'bbox_head', MASKS: 'decode_head'}
BASES = {
    CLASSES: 'mobileone_s0_in1k',
    COCO: 'ssd_mobileone_s0',
    VOC: 'ssd_mobileone_s0',
    MASKS: 'deeplabv3_light_mobileone_s0_voc',
}
DOCS = Path(__file__).parents[2] / 'docs'
# What mmdet's train.py, which `mim train` starts, does with a config before the first step.
CHILD = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.registry import MODELS, init_default_scope
config = Config.fromfile(sys.argv[1])
config.dump(sys.argv[2])
for read in (config, Config.fromfile(sys.argv[2])):
    init_default_scope(read.default_scope)
    model = MODELS.build(read.model)
    print(type(model.backbone).__module__, model.bbox_head.num_classes, read.train_dataloader.dataset.data_root)
"""


def test_the_templates_are_the_configs_for_ones_own_data() -> None:
    assert list(templates()) == list(BASES)


@pytest.mark.parametrize('template', BASES)
def test_unfilled_it_is_the_template_but_for_its_base(template: str, tmp_path: Path) -> None:
    text = own_config(template)
    assert f"\n_base_ = __import__('mobileone_mm').config('{BASES[template]}')\n" in text
    lines, old = text.splitlines(), Path(config(template)).read_text().splitlines()
    assert [line for line in lines if not line.startswith('_base_')] == [
        line for line in old if not line.startswith('_base_')
    ]
    (tmp_path / 'own.py').write_text(text)
    assert Config.fromfile(tmp_path / 'own.py').to_dict() == Config.fromfile(config(template)).to_dict()


@pytest.mark.parametrize('template', BASES)
@pytest.mark.parametrize('root', ['my data', 'my data/'])
def test_filled_in_its_classes_and_paths_are_the_users_everywhere(template: str, root: str, tmp_path: Path) -> None:
    classes = ('cat', "dog's tail", 'Äpfel')
    path = tmp_path / 'own.py'
    path.write_text(own_config(template, classes, root), encoding='utf-8')
    read = Config.fromfile(path)
    assert read.model[HEADS[template]].num_classes == 3
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert tuple(read[loader].dataset.metainfo.classes) == classes
        assert read[loader].dataset.data_root == 'my data/'
    if template == COCO:
        assert read.test_evaluator.ann_file == 'my data/annotations/val.json'


# What a text that is searched for lines would find in a name.
LINES = (
    'data_root = \'data/own/\'), open("PWNED", "w"',
    "data_root = 'data/own/'",
    "train_folder = 'train'",
    '# --- follows from the above ---',
    '# --- yours',
    "_base_ = 'ssd_mobileone_s0.py'",
)


@pytest.mark.parametrize('template', BASES)
@pytest.mark.parametrize('classes', [NAMES, LINES], ids=['braces', 'lines of a config'])
def test_names_and_paths_are_only_ever_text(
    template: str, classes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder, others = {
        CLASSES: ('train_folder', {}),
        COCO: ('train_file', {'train_images': FOLDER}),
        VOC: ('train_list', {}),
        MASKS: ('images', {'masks': FOLDER}),
    }[template]
    root = f'{FOLDER}"\'), open("PWNED", "w"'
    title, settings = f'# for {FOLDER} {NAMES[0]}', [f'# {name}' for name in NAMES]
    text = own_config(template, classes, root, {folder: FOLDER, **others})
    text = with_settings(text, title, 's0', settings, {}, ())
    assert '{{' not in text
    Path('own.py').write_text(text, encoding='utf-8')
    read = load_config('own.py')
    assert tuple(read.classes) == tuple(read.train_dataloader.dataset.metainfo.classes) == classes
    assert (read.data_root, read[folder]) == (f'{root}/', FOLDER)
    assert {name: read[name] for name in others} == others
    assert text.count('\n# --- follows') == 1
    assert not list(tmp_path.glob('**/PWNED*'))


def test_colours_are_left_alone_by_the_line_that_the_docs_give(tmp_path: Path) -> None:
    (instead,) = re.findall(r'`(train_pipeline = .*?)`', (DOCS / 'own_data.md').read_text(encoding='utf-8'))
    text, replaced = re.subn('^train_pipeline = .*augment.*$', instead, own_config(CLASSES), flags=re.MULTILINE)
    assert replaced == 1
    path = tmp_path / 'own.py'
    path.write_text(text)
    config = Config.fromfile(path)
    steps = [step.type for step in written_steps(config.train_dataloader.dataset.pipeline)]
    assert steps == ['LoadImageFromFile', 'RandomResizedCrop', 'RandomFlip', 'PackInputs']


def test_another_variant_is_another_word(tmp_path: Path) -> None:
    path = tmp_path / 'own.py'
    path.write_text(own_config(COCO).replace('mobileone_s0', 'mobileone_s3'))
    assert Config.fromfile(path).model.backbone.arch == 's3'


@pytest.mark.parametrize(
    ('template', 'message'),
    [
        (
            'ssd_mobileone_s0',
            f'ssd_mobileone_s0: has no lines to fill in; those that have: {", ".join(BASES)}',
        ),
        ('ssd_mobileone_s0_own', f'ssd_mobileone_s0_own: no shipped config of that name; did you mean {VOC} or {COCO}'),
    ],
)
def test_a_config_that_is_no_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        own_config(template)


def test_a_process_elsewhere_reads_dumps_and_builds_it(tmp_path: Path) -> None:
    own, away = tmp_path / 'own.py', tmp_path / 'away'
    away.mkdir()
    own.write_text(own_config(VOC, ('one', 'two'), 'data'))
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    command = [sys.executable, '-W', 'ignore', '-c', CHILD, str(own), 'dumped.py']
    done = subprocess.run(command, cwd=away, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ['mobileone_mm.models.backbones.mobileone 2 data/'] * 2
    assert '__import__' not in (away / 'dumped.py').read_text()  # the work folder's copy needs no base


@pytest.mark.parametrize(
    ('template', 'given', 'expected'),
    [
        (CLASSES, '0', 'one whole number of px above 0'),
        (CLASSES, '-224', 'one whole number of px above 0'),
        (CLASSES, '(224, 224)', 'one whole number of px above 0'),
        (CLASSES, '22.4', 'one whole number of px above 0'),
        (MASKS, '512', 'width and height, two whole numbers of px above 0'),
        (MASKS, '(512, 0)', 'width and height, two whole numbers of px above 0'),
        (MASKS, '(512,)', 'width and height, two whole numbers of px above 0'),
        (MASKS, 'None', 'width and height, two whole numbers of px above 0'),
    ],
)
def test_an_input_size_that_is_none_is_said_in_one_line(
    template: str, given: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / 'own.py'
    path.write_text(re.sub('^input_size = .*?  #', f'input_size = {given}  #', own_config(template), flags=re.M))
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(refused.value).startswith(f'{path}: input_size = {given} given, expected {expected}')


@pytest.mark.parametrize(('template', 'given'), [(CLASSES, '160'), (MASKS, '[256, 128]'), (CLASSES, '32 * 5')])
def test_other_input_sizes_are_read(template: str, given: str, tmp_path: Path) -> None:
    path = tmp_path / 'own.py'
    path.write_text(re.sub('^input_size = .*?  #', f'input_size = {given}  #', own_config(template), flags=re.M))
    assert size_hw_of(load_config(path)) == ((128, 256) if template == MASKS else (160, 160))

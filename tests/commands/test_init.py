"""`mobileone init` as typed."""

from pathlib import Path

import pytest
from mmengine.config import Config
from own_folders import write_coco as write_boxes
from own_folders import write_masks
from small_classes import write

from mobileone_mm import cli
from mobileone_mm.commands.init import main
from mobileone_mm.datasets.toy import write_coco
from mobileone_mm.datasets.toy_options import ToyOptions

VOC = 'ssd_mobileone_s0_own_voc'
CLASSES = 'mobileone_s0_own_classes'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'photos').mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(('name', 'written'), [([], 'my_set.py'), (['cells'], 'cells.py'), (['sub/a.py'], 'sub/a.py')])
def test_writes_a_config_and_names_the_command_that_looks_at_its_data(
    name: list[str], written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(main, [*name, '--classes', 'cat, dog', '--data', 'photos']) == 0
    read = Config.fromfile(written)
    assert read.train_dataloader.dataset.type == 'mobileone_mm.CocoDataset'
    assert read.train_dataloader.dataset.data_root == 'photos/'
    assert tuple(read.metainfo.classes) == ('cat', 'dog')
    said = capsys.readouterr()
    first, last = said.out.splitlines()
    assert first.startswith(f'{written}: written; ')
    assert last == f'next: {cli.command("check", written)}'
    assert said.err.startswith('warning: not found in photos: an annotation file for training ')
    assert said.err.count('\n') == 1


def test_the_set_that_toy_data_writes_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    write_coco('own', ToyOptions(images=2, val=1, size=64))
    assert cli.run(main, ['--data', 'own']) == 0
    read = Config.fromfile('my_set.py')
    for split, file in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = read[f'{split}_dataloader'].dataset
        assert (dataset.ann_file, dataset.data_prefix.img) == (f'annotations/{file}.json', f'images/{file}/')
    assert read.test_evaluator.ann_file == 'own/annotations/val.json'
    assert tuple(read.metainfo.classes) == ('circle', 'square', 'triangle')
    assert capsys.readouterr().err.splitlines() == [
        "found train_file = 'annotations/train.json'",
        "found train_images = 'images/train/'",
        "found val_file = 'annotations/val.json'",
        "found val_images = 'images/val/'",
        'found 3 classes: circle, square, triangle',
    ]


def test_of_a_set_without_validation_pictures_it_says_what_is_held_out(capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(Path('own'), files=('boxes.json', 'val.json'), folders=('photos', 'val'), counts=(10, 0))
    Path('own/val.json').unlink()
    said = (
        'no annotation file for validation in own: a fifth of the pictures is held out, chosen by their names and '
        'always the same, so that training keeps one of each class; no file is copied or moved'
    )
    for words in (['a.py', 'own'], ['b.py', '--data', 'own']):
        assert cli.run(main, words) == 0
        found = capsys.readouterr()
        assert said in found.err.splitlines()
        read = Config.fromfile(words[0])
        assert (read.val_file, read.val_images) == (None, None)
        assert (read.train_dataloader.dataset.part, read.val_dataloader.dataset.part) == ('train', 'val')
        assert read.test_evaluator == {**read.test_evaluator, 'ann_file': 'own/boxes.json'}
        assert read.test_evaluator.type == 'mobileone_mm.CocoMetric'
        if words == ['a.py', 'own']:
            first = 'found   boxes in COCO format: 8 training pictures, 2 for validation; 96 x 64 px'
            assert found.out.splitlines()[0] == first


@pytest.mark.parametrize('val', ['val', 'validation'])
def test_class_folders_are_found(val: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ('train/rose', 'train/daisy', f'{val}/rose', f'{val}/daisy', 'train/.cache', 'trainers'):
        Path('photos', name).mkdir(parents=True)
    assert cli.run(main, ['--data', 'photos', '--from', CLASSES]) == 0
    read = Config.fromfile('my_set.py')
    for split, folder in (('train', 'train'), ('val', val), ('test', val)):
        dataset = read[f'{split}_dataloader'].dataset
        assert (dataset.data_root, dataset.data_prefix.img_path) == ('photos/', folder)
        assert tuple(dataset.metainfo.classes) == ('daisy', 'rose')
    assert read.model.head.num_classes == 2
    said = capsys.readouterr().err.splitlines()
    assert said == ["found train_folder = 'train'", f'found val_folder = {val!r}', 'found 2 classes: daisy, rose']


@pytest.mark.parametrize(
    ('folders', 'train'),
    [
        (('rose', 'daisy'), ''),
        (('flowers/rose', 'flowers/daisy'), 'flowers'),
        (('train/rose', 'train/daisy', 'val'), 'train'),
        (('train/rose', 'train/daisy', 'test/rose'), 'train'),
        (('train/train/rose', 'train/train/daisy'), 'train/train'),
    ],
)
def test_class_folders_that_are_not_parted_are_parted_by_the_config(
    folders: tuple[str, ...], train: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:
        write(Path('photos'), f'{folder}/1.png', f'{folder}/2.png')
    assert cli.run(main, ['--data', 'photos', '--from', CLASSES]) == 0
    read = Config.fromfile('my_set.py')
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = read[f'{loader}_dataloader'].dataset
        assert (dataset.data_root, dataset.data_prefix.img_path, dataset.part) == ('photos/', train, part)
        assert tuple(dataset.metainfo.classes) == ('daisy', 'rose')
    assert capsys.readouterr().err.splitlines() == [
        f'found train_folder = {train!r}',
        'found 2 classes: daisy, rose',
        'no folder val/ with a folder for each class in photos: a fifth of the pictures of each class is held out for '
        'validation, chosen by their names and always the same; no file is copied or moved',
    ]


@pytest.mark.parametrize('folders', [(), ('train', 'val'), ('one',), ('val/rose', 'val/daisy')])
def test_folders_without_classes_to_train_on_are_told(
    folders: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:
        write(Path('photos'), f'{folder}/1.png', f'{folder}/2.png')
    assert cli.run(main, ['--data', 'photos', '--from', CLASSES]) == 0
    missing, places = capsys.readouterr().err.splitlines()[-2:]
    found = {(): 'none', ('train', 'val'): 'only train, val', ('one',): 'only one'}.get(folders, 'only val')
    assert missing == (
        'warning: not found in photos: class folders to train on: expected two or more folders with pictures, one for '
        f'each class, or train/ with such folders; found {found}. Give their paths in the config'
    )
    assert places == "warning: no --classes given; 'cat' and 'dog' hold their places in the config"


@pytest.mark.parametrize('folders', [('rose', 'daisy'), ('train/rose', 'train/daisy', 'val/rose', 'val/daisy')])
def test_class_folders_need_their_own_template(folders: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    for folder in folders:
        write(Path('photos'), f'{folder}/1.png')
    assert cli.run(main, ['--data', 'photos']) == 2
    assert capsys.readouterr().err == f'error: photos: folders of classes; give --from {CLASSES}\n'
    assert not Path('my_set.py').exists()


def test_pictures_of_boxes_are_taken_for_no_classes() -> None:
    write(Path('photos'), 'train/1.png', 'train/2.png', 'val/1.png')
    assert cli.run(main, ['--data', 'photos']) == 0
    assert Config.fromfile('my_set.py').train_dataloader.dataset.type == 'mobileone_mm.CocoDataset'


def test_classes_that_the_training_file_lacks_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    write_coco('own', ToyOptions(images=2, val=1, size=64))
    assert cli.run(main, ['--data', 'own', '--classes', 'circle,cat']) == 0
    assert tuple(Config.fromfile('my_set.py').metainfo.classes) == ('circle', 'cat')
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == 'warning: the training set has the categories circle, square, triangle'


def test_a_set_in_voc_format_needs_its_own_template(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ('Annotations/1.xml', 'JPEGImages/1.jpg', 'train.txt', 'val.txt'):
        (Path('photos') / name).parent.mkdir(exist_ok=True)
        (Path('photos') / name).touch()
    assert cli.run(main, ['--data', 'photos']) == 2
    assert capsys.readouterr().err == f'error: photos: a set in VOC format; give --from {VOC}\n'
    assert cli.run(main, ['--data', 'photos', '--from', VOC]) == 0
    assert Config.fromfile('my_set.py').train_dataloader.dataset.ann_file == 'train.txt'


def test_another_format_is_another_template() -> None:
    assert cli.run(main, ['--from', VOC]) == 0
    assert Config.fromfile('my_set.py').train_dataloader.dataset.type == 'mobileone_mm.VOCDataset'


def masks_of(*folders: str) -> None:
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)


def test_masks_are_filled_in_and_looked_at_next(capsys: pytest.CaptureFixture[str]) -> None:
    masks_of('masks')
    words = ['seg', '--images', 'photos', '--masks', 'masks', '--classes', 'ground,cat,dog', '--ignore', '11']
    assert cli.run(main, words) == 0
    read = Config.fromfile('seg.py')
    train, val = read.train_dataloader.dataset, read.val_dataloader.dataset
    prefix = {'img_path': 'photos', 'seg_map_path': 'masks'}
    for dataset, part in ((train, 'train'), (val, 'val')):
        assert dataset.type == 'mobileone_mm.MaskDataset'
        assert (dataset.data_root, dataset.data_prefix, dataset.part) == ('', prefix, part)
        assert (dataset.ignore_index, tuple(dataset.metainfo.classes)) == (11, ('ground', 'cat', 'dog'))
    assert read.model.decode_head.num_classes == read.model.auxiliary_head.num_classes == 3
    assert capsys.readouterr().out.splitlines()[-1] == f'next: {cli.command("check", "seg.py")}'


@pytest.mark.parametrize('val', ['val', 'validation'])
def test_a_set_that_is_parted_is_taken_so(val: str) -> None:
    masks_of(*(f'root/{folder}/{part}' for folder in ('photos', 'masks') for part in ('train', val)))
    assert cli.run(main, ['--data', 'root', '--images', 'photos', '--masks', 'masks', '--ignore', '0,11']) == 0
    read = Config.fromfile('my_set.py')
    for loader, part in ((read.train_dataloader, 'train'), (read.val_dataloader, val)):
        assert loader.dataset.data_root == 'root/'
        assert loader.dataset.data_prefix == {'img_path': f'photos/{part}', 'seg_map_path': f'masks/{part}'}
        assert (loader.dataset.part, tuple(loader.dataset.ignore_index)) == ('all', (0, 11))


def test_validation_masks_may_lie_anywhere() -> None:
    masks_of('masks', 'a', 'b')
    words = ['--images', 'photos', '--masks', 'masks', '--val-images', 'a', '--val-masks', 'b']
    assert cli.run(main, words) == 0
    prefix = Config.fromfile('my_set.py').val_dataloader.dataset.data_prefix
    assert prefix == {'img_path': 'a', 'seg_map_path': 'b'}


@pytest.mark.parametrize('make', [Path.touch, Path.mkdir, lambda path: path.symlink_to('nowhere')])
def test_nothing_is_replaced(make, capsys: pytest.CaptureFixture[str]) -> None:
    make(path := Path('my_set.py'))
    before = path.lstat()
    assert cli.run(main, ['my_set']) == 2
    assert capsys.readouterr().err.startswith('error: my_set.py: is there already, ')
    assert path.lstat() == before


def assert_refused(words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`init` says one line, and writes no config."""
    assert cli.run(main, words) == status
    said = capsys.readouterr()
    assert said.out == ''
    assert said.err.startswith(f'error: {message}')
    assert said.err.count('\n') == 1
    assert not list(Path().glob('**/*.py'))


@pytest.mark.parametrize(
    ('words', 'status', 'message'),
    [
        (['--data', 'nowhere'], 2, '--data nowhere: no such folder'),
        (['--classes', 'a,,b'], 2, "--classes 'a,,b': expected names between commas, none empty and none twice"),
        (['--classes', ''], 2, "--classes ''"),
        (['--classes', 'a,b,a'], 2, "--classes 'a,b,a'"),
        (['--classes', 'a,b\tc'], 2, r"--classes 'a,b\tc': expected names without control characters"),
        (['mine.json'], 2, 'mine.json: a config ends in .py; did you mean mine.py?'),
        (['sub/best.pth'], 2, 'sub/best.pth: a config ends in .py; did you mean sub/best.py?'),
        (['d.mlpackage'], 2, 'd.mlpackage: a config ends in .py; did you mean d.py?'),
        (['shot.WEBP'], 2, 'shot.WEBP: a config ends in .py; did you mean shot.py?'),
        (
            ['n' * 248],
            2,
            f'{"n" * 248}.py: name too long: 251 bytes given, expected 245 at most; choose a shorter one',
        ),
        ([f'{"n" * 256}/a'], 2, f'{"n" * 256}/a.py: name too long: that of the folder {"n" * 256}: 256 bytes given'),
        (['photos/'], 2, 'photos/: a folder given, expected the name of the config to write, such as my_set.py'),
        (['--images', 'photos'], 2, '--images and --masks: one is given without the other'),
        (['--val-images', 'photos', '--val-masks', 'photos'], 2, '--val-images: given without --images'),
        (['--images', 'photos', '--masks', 'no'], 2, '--masks no: no such folder'),
        (['--ignore', '256'], 2, "--ignore '256': expected an id from 0 to 255"),
        (['--ignore', '1,x'], 2, "--ignore '1,x': expected an id"),
        (['--images', 'photos', '--masks', 'photos', '--from', VOC], 1, f'{VOC}: has no line for images; it sets'),
        (['--from', 'ssd_mobileone_s0'], 1, 'ssd_mobileone_s0: has no lines to fill in'),
    ],
)
def test_wrong_usage_is_one_line_and_no_file(
    words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(words, status, message, capsys)


def test_a_folder_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(Path('cells'), side=8)
    assert cli.run(main, ['my_set', 'cells']) == 0
    read = Config.fromfile('my_set.py')
    assert read.train_dataloader.dataset.data_root == 'cells/'
    assert tuple(read.model.backbone.out_indices) == (1, 2, 3)
    found, counted, sides, reach, changes, amounts, start, written, last = capsys.readouterr().out.splitlines()
    assert found == 'found   boxes in COCO format: 8 training pictures, 2 for validation; 96 x 64 px'
    assert counted == 'found   32 boxes: cat 16, dog 16'
    assert sides.startswith('found   box sizes (square root of the area) at 320 x 320 px: ')
    assert reach.startswith('chosen  maps from a stride of 8 px on; an anchor reaches (IoU 0.5) ')
    assert changes == 'chosen  flips: horizontal; Expand: no'
    assert amounts == 'chosen  125 epochs of 4 steps, with a batch of 2'
    assert start.startswith(
        "chosen  MobileOne-S0 with Apple's ImageNet weights, which the first training downloads, or "
    )
    assert written == 'my_set.py: written; a comment beside each choice says why'
    assert last == f'next: {cli.command("check", "my_set.py")}'


def test_a_variant_and_a_size_may_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path('photos'), 'rose/1.png', 'rose/2.png', 'daisy/3.png', 'daisy/4.png')
    assert cli.run(main, ['my_set.py', 'photos', '--variant', 's1', '--input-size', '160']) == 0
    read = Config.fromfile('my_set.py')
    assert (read.model.backbone.arch, read.input_size) == ('s1', 160)
    notes = capsys.readouterr().err.splitlines()
    assert notes[0].startswith('no folder val/ with a folder for each class in photos: a fifth of the pictures')


def test_masks_of_a_folder_with_names_and_ids_that_are_given() -> None:
    write_masks(Path('scenes'), 'photos', 'masks', ids=(0, 1, 7))
    words = ['scenes', '--classes', 'ground,cat', '--ignore', '7', '--input-size', '96,64']
    assert cli.run(main, ['seg.py', *words]) == 0
    read = Config.fromfile('seg.py')
    dataset = read.train_dataloader.dataset
    assert (dataset.ignore_index, dataset.part, tuple(dataset.metainfo.classes)) == (7, 'train', ('ground', 'cat'))
    assert tuple(read.input_size) == (96, 64)


def test_options_that_messages_name_are_printed_as_flags(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks(Path('scenes'), 'photos', 'fine')
    write_masks(Path('scenes'), 'photos', 'coarse')
    assert cli.run(main, ['seg.py', 'scenes']) == 1
    said = capsys.readouterr()
    assert said.err.endswith('; name one with --images and --masks instead\n')
    assert said.out == ''


def test_class_folders_without_pictures_are_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    photos = write(Path('photos'), *(f'{name}/{n}.png' for name in ('rose', 'daisy') for n in range(2)), 'ivy/1.heic')
    (photos / 'no name').mkdir()
    assert cli.run(main, ['a.py', 'photos']) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: photos: class folders without a picture: 'photos/ivy', 'photos/no name'; add files that end in .jpg, "
        '.jpeg, .png, .bmp, .tif, .tiff, .webp to each, or move it out of the set'
    )
    assert not Path('a.py').exists()
    for name in ('ivy', 'no name'):
        (photos / name).rename(name)
    assert cli.run(main, ['a.py', 'photos']) == 0
    assert tuple(Config.fromfile('a.py').classes) == ('daisy', 'rose')


@pytest.mark.parametrize(
    ('words', 'status', 'message'),
    [
        (['a.py', 'nowhere'], 2, 'nowhere: no such folder, expected one of own data'),
        (['a.py', 'photos'], 1, 'photos: holds no file; expected boxes in COCO format'),
        (
            ['a.py', 'photos', '--data', 'photos'],
            2,
            '--data: goes with a template that you fill in',
        ),
        (['a.py', 'photos', '--from', VOC], 2, '--from: goes with a template'),
        (['a.py', 'photos', '--images', 'photos', '--masks', 'photos'], 2, '--images: goes with a template'),
        (['a.py', '--variant', 's1'], 2, '--variant: given without a folder to look at'),
        (['a.py', '--input-size', '320'], 2, '--input-size: given without a folder to look at'),
        (['a.py', 'photos', '--variant', 'S9'], 2, '--variant S9: expected one of s0, s1, s2, s3, s4'),
        (
            ['a.py', 'photos', '--input-size', '3x3'],
            2,
            "--input-size '3x3': expected a number of px",
        ),
        (['a.py', 'photos', '--input-size', '1,2,3'], 2, "--input-size '1,2,3': expected a number"),
        (['a.py', 'photos', '--input-size', '0'], 2, '--input-size 0,0: expected sides from 64 to 2048 px'),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line_and_no_file(
    words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(words, status, message, capsys)

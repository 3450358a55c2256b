"""Sets that the test lays out by what mmpretrain's own model says, scored: the numbers are known beforehand."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mobileone_mm.datasets.corrupt import CORRUPTIONS, FAMILIES, SEVERITIES, corrupt
from mobileone_mm.errors import CheckpointError, ConfigError, DataError, UsageError
from mobileone_mm.exporter.export import export
from mobileone_mm.pictures.reading import channels_swapped
from mobileone_mm.robustness.measure import Pictures, measure
from mobileone_mm.robustness.scorer import Scorer, open_scorer, pipeline_of
from mobileone_mm.robustness.sets import Choice, Corruption, Folders
from mobileone_mm.robustness.synsets import synsets
from mobileone_mm.weights.checkpoint import read_checkpoint, save_checkpoint
from tiny_classifier import new_classifier

from .conftest import Classifier, picture, place, write
from .test_published import MEANS

FIRST, FIFTH, SIXTH = 0, 4, 5  # ranks


@pytest.fixture
def scorer(imagenet: Classifier) -> Scorer:
    return open_scorer(imagenet.config, imagenet.weights)


@pytest.mark.parametrize(
    ('field', 'mark'), [('adversarial', 'A'), ('renditions', 'R'), ('sketches', ''), ('clean', '')]
)
def test_the_best_is_looked_for_among_the_classes_of_the_set(
    field: str, mark: str, imagenet: Classifier, tmp_path: Path
) -> None:
    ranks = [FIRST, FIRST, FIRST, FIFTH, FIFTH, SIXTH, SIXTH, SIXTH]
    place(tmp_path, imagenet, synsets(mark), ranks)
    if mark:  # or the mask would not show: among all classes, others are better
        best = {imagenet.ranked(picture(number, 256, 256)[16:240, 16:240])[0] for number in range(3)}
        assert {synsets()[label] for label in best} != {path.name for path in tmp_path.iterdir()}
    (part,) = measure(imagenet.config, imagenet.weights, Folders(**{field: tmp_path}), Choice()).parts
    assert (part.pictures, part.top1, part.top5) == (8, pytest.approx(100 * 3 / 8), pytest.approx(100 * 5 / 8))


def test_the_mce_of_what_lies_on_disk_is_the_formulas(imagenet: Classifier, tmp_path: Path) -> None:
    right, wrong = (write_crop(tmp_path / f'{rank}', imagenet, rank) for rank in (FIRST, SIXTH))
    families = {name: family for family, names in FAMILIES.items() for name in names}
    expected = []
    for index, name in enumerate(CORRUPTIONS):
        errors = [(index + severity) % 3 / 2 for severity in SEVERITIES]  # 0, 0.5 or 1 of the two pictures
        for severity, error in zip(SEVERITIES, errors, strict=True):
            root = tmp_path / 'c' / (families[name] if index % 2 else '') / name / str(severity)
            link(root, [right, right] if error == 0 else [right, wrong] if error == 0.5 else [wrong, wrong])
        expected.append(100 * (sum(errors) / 5) / MEANS[index])
    results = measure(imagenet.config, imagenet.weights, Folders(corrupted=tmp_path / 'c'), Choice())
    found = results.as_dict()
    assert len(results.parts) == 75
    assert found['mean_ce_of_what_was_scored'] == pytest.approx(sum(expected) / 15, abs=1e-4)
    assert list(found['ce'].values()) == pytest.approx(expected, abs=1e-3)
    assert found['mce'] is None  # of two pictures, not of 50 000


def write_crop(folder: Path, classifier: Classifier, rank: int) -> Path:
    image = picture(1)
    return write(folder / synsets()[classifier.ranked(image)[rank]] / 'crop.png', image)


def link(root: Path, files: Sequence[Path]) -> None:
    for number, file in enumerate(files):
        (root / file.parent.name).mkdir(parents=True, exist_ok=True)
        (root / file.parent.name / f'{number}.png').symlink_to(file)


def test_published_crops_are_not_resized_and_others_are_cut_in_the_middle(scorer: Scorer, tmp_path: Path) -> None:
    images = [picture(1), picture(2, 260, 240)]
    files = [(str(write(tmp_path / f'{number}.png', image)), 0) for number, image in enumerate(images)]
    items = Pictures(files, pipeline_of(scorer, Corruption('fog', 3, made=False)))
    for item, expected in zip((items[0], items[1]), (images[0], images[1][8:232, 18:242]), strict=True):
        assert isinstance(item, dict)
        np.testing.assert_array_equal(item['inputs'].numpy(), channels_swapped(expected).transpose(2, 0, 1))


@pytest.mark.parametrize(
    'sizing',
    [
        [{'type': 'EfficientNetCenterCrop', 'crop_size': 224}],
        [
            {'type': 'NumpyToPIL', 'to_rgb': True},
            {'type': 'torchvision/Resize', 'size': 256},
            {'type': 'torchvision/CenterCrop', 'size': 224},
            {'type': 'PILToNumpy', 'to_bgr': True},
        ],
    ],
    ids=['efficientnet', 'torchvision'],
)
def test_published_crops_are_not_resized_by_any_pipeline(
    sizing: list[dict[str, object]], scorer: Scorer, tmp_path: Path
) -> None:
    config = copy.deepcopy(scorer.config)
    load, *_, pack = config.test_dataloader.dataset.pipeline
    config.test_dataloader.dataset.pipeline = [load, *sizing, pack]
    file = write(tmp_path / '1.png', picture(1))
    pipeline = pipeline_of(replace(scorer, config=config), Corruption('fog', 3, made=False))
    item = Pictures([(str(file), 0)], pipeline)[0]
    assert isinstance(item, dict)
    np.testing.assert_array_equal(item['inputs'].numpy(), channels_swapped(picture(1)).transpose(2, 0, 1))


def test_what_is_corrupted_here_is_resized_and_cropped_before(scorer: Scorer, tmp_path: Path) -> None:
    image = picture(3, 300, 400)
    file = write(tmp_path / '1.png', image)
    item = Pictures([(str(file), 0)], pipeline_of(scorer, Corruption('contrast', 4, made=True)))[0]
    assert isinstance(item, dict)
    resized = np.asarray(Image.fromarray(image).resize((256, 341), Image.Resampling.BILINEAR))
    expected = corrupt(resized[58:282, 16:240], 'contrast', 4, 0)
    np.testing.assert_array_equal(item['inputs'].numpy(), channels_swapped(expected).transpose(2, 0, 1))


def test_corruptions_are_made_of_the_clean_pictures(imagenet: Classifier, tmp_path: Path) -> None:
    place(tmp_path, imagenet, synsets(), [FIRST, FIRST])
    folders, choice = Folders(clean=tmp_path, make=True), Choice(('contrast', 'fog'), (1, 5))
    clean, *parts = measure(imagenet.config, imagenet.weights, folders, choice).parts
    assert clean.top1 == 100
    assert [part.of.part for part in parts] == ['contrast 1', 'contrast 5', 'fog 1', 'fog 5']
    assert parts[1].top1 < 100  # nearly grey


def test_a_limit_is_spread_over_the_set(imagenet: Classifier, tmp_path: Path) -> None:
    place(tmp_path, imagenet, synsets(), [FIRST] * 4)
    files = sorted(path for path in tmp_path.rglob('*.png'))
    for path in files[1::2]:  # of every two, the second is nothing to read
        path.write_bytes(b'')
    (part,) = measure(imagenet.config, imagenet.weights, Folders(clean=tmp_path), Choice(), limit=2).parts
    assert (part.pictures, part.there, part.top1) == (2, 4, 100)
    with pytest.raises(DataError, match=rf'^{files[1]}: cannot be read by the test pipeline: .*fetch the set again$'):
        measure(imagenet.config, imagenet.weights, Folders(clean=tmp_path), Choice())
    with pytest.raises(UsageError, match='`limit`: 0 given'):
        measure(imagenet.config, imagenet.weights, Folders(clean=tmp_path), Choice(), limit=0)


def test_an_exported_file_scores_what_its_model_scores(imagenet: Classifier, tmp_path: Path) -> None:
    onnx = tmp_path / 'imagenet.onnx'
    report = export(imagenet.config, imagenet.weights, onnx)
    assert (report.info.input_size, report.info.settings['crop_inside']) == ((256, 256), 224)
    place(tmp_path / 'a', imagenet, synsets('A'), [FIRST, FIFTH, SIXTH])
    for rank in (FIRST, FIFTH):
        link(tmp_path / 'c/fog/2', [write_crop(tmp_path / str(rank), imagenet, rank)])
    folders, choice = Folders(adversarial=tmp_path / 'a', corrupted=tmp_path / 'c'), Choice(('fog',), (2,))
    found, expected = (
        [(part.top1, part.top5) for part in measure(imagenet.config, path, folders, choice).parts]
        for path in (onnx, imagenet.weights)
    )
    assert found == expected
    assert [round(top1) for top1, _ in found] == [33, 50]


def test_a_classifier_of_other_classes_is_refused(
    classifier: tuple[Path, Path], imagenet: Classifier, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"cls\.py has the classes \('cat', .*, ImageNet's 1000 are tench, Tinca"):
        open_scorer(*classifier)
    other = new_classifier(tmp_path, classes=tuple(f'n{number}' for number in range(1000)))
    with pytest.raises(CheckpointError, match=r'best\.pth: trained on the classes n0, n1, .* and 995 more, '):
        open_scorer(imagenet.config, other[1])


def test_a_config_that_the_checkpoint_was_not_trained_with_is_taken_only_where_it_wins(
    imagenet: Classifier, tmp_path: Path
) -> None:
    trained = Config.fromfile(imagenet.config)
    trained.model.data_preprocessor.mean = [0, 0, 0]
    path = tmp_path / 'other.pth'
    save_checkpoint(path, read_checkpoint(imagenet.weights).state_dict, {'cfg': trained.pretty_text})
    with pytest.raises(CheckpointError, match=r'data_preprocessor\.mean is \[0, 0, 0\] there'):
        open_scorer(imagenet.config, path)
    assert open_scorer(imagenet.config, path, config_wins=True).config.filename == str(imagenet.config)

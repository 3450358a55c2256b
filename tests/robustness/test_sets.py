"""What is wrong with a set is said in one line, before the first picture is scored."""

from pathlib import Path

import pytest

from mobileone_mm.errors import DataError, UsageError
from mobileone_mm.robustness.sets import Choice, Folders, open_sets, pictures_of

TENCH, GOLDFISH, STINGRAY = 'n01440764', 'n01443537', 'n01498041'  # of ImageNet; -R too; -A and -R too


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def test_a_set_has_the_classes_it_was_published_with(tmp_path: Path) -> None:
    folders(tmp_path / 'a', STINGRAY)
    folders(tmp_path / 'r', GOLDFISH, STINGRAY)
    folders(tmp_path / 's', TENCH)
    sets = open_sets(Folders(adversarial=tmp_path / 'a', renditions=tmp_path / 'r', sketches=tmp_path / 's'), Choice())
    assert [(one.name, len(one.classes)) for one in sets] == [
        ('ImageNet-A', 200),
        ('ImageNet-R', 200),
        ('ImageNet-Sketch', 1000),
    ]


@pytest.mark.parametrize(
    ('field', 'names', 'message'),
    [
        ('adversarial', (STINGRAY, TENCH), rf'{TENCH}: no class of ImageNet-A; expected a folder for each of the 200 '),
        ('renditions', (TENCH, 'imagenet-r'), rf'imagenet-r, {TENCH}: no class of ImageNet-R; expected .*{GOLDFISH}, '),
        (
            'sketches',
            ('sketch',),
            r'sketch: no class of ImageNet-Sketch; expected a folder for each of the 1000 classes',
        ),
        ('clean', ('n00000001',), 'n00000001: no class of ImageNet; expected'),
        ('clean', ('.hidden',), 'no folders in it; expected a folder for each of the 1000 classes of ImageNet, named '),
    ],
)
def test_a_folder_that_is_no_class_is_named(field: str, names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    folders(tmp_path, *names)
    (tmp_path / 'README.txt').touch()  # as ImageNet-A and -R have it
    with pytest.raises(DataError, match=f'^{tmp_path}: {message}') as error:
        open_sets(Folders(**{field: tmp_path}), Choice())
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('field', ['clean', 'corrupted', 'adversarial', 'renditions', 'sketches'])
def test_a_folder_that_is_not_there_is_named(field: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f'^{tmp_path}/gone: no such folder, expected one with a set of pictures$'):
        open_sets(Folders(**{field: tmp_path / 'gone'}), Choice())


def test_a_set_without_a_picture_is_refused(tmp_path: Path) -> None:
    (one,) = open_sets(Folders(clean=folders(tmp_path, TENCH)), Choice())
    (tmp_path / TENCH / 'notes.txt').touch()
    with pytest.raises(DataError, match=f'^{tmp_path}: no pictures, expected files that end in .jpg, .jpeg'):
        pictures_of(one)


def test_parts_of_imagenet_c_are_found_side_by_side_and_in_their_families(tmp_path: Path) -> None:
    folders(tmp_path, f'fog/1/{TENCH}', f'weather/snow/1/{TENCH}', f'noise/shot_noise/1/{TENCH}', 'extra')
    choice = Choice(('shot_noise', 'snow', 'fog'), (1,))
    sets = open_sets(Folders(corrupted=tmp_path), choice)
    assert [one.root.relative_to(tmp_path).as_posix() for one in sets] == [
        'noise/shot_noise/1',
        'weather/snow/1',
        'fog/1',
    ]
    assert [one.title for one in sets] == ['ImageNet-C, shot_noise 1', 'ImageNet-C, snow 1', 'ImageNet-C, fog 1']


def test_parts_of_imagenet_c_that_are_missing_are_named(tmp_path: Path) -> None:
    folders(tmp_path, f'fog/1/{TENCH}', f'blur/glass_blur/4/{TENCH}', f'blur/snow/1/{TENCH}')
    with pytest.raises(
        DataError, match=r'^.*: 73 of 75 parts of ImageNet-C are missing: gaussian_noise/1, .*'
    ) as error:
        open_sets(Folders(corrupted=tmp_path), Choice())
    assert 'found: glass_blur, fog; expected CORRUPTION/SEVERITY/WNID/*.JPEG, also in noise/' in str(error.value)
    with pytest.raises(DataError, match=r'1 of 2 parts of ImageNet-C are missing: fog/2; found: fog; .*`severities`$'):
        open_sets(Folders(corrupted=tmp_path), Choice(('fog',), (1, 2)))


@pytest.mark.parametrize(
    ('choice', 'message'),
    [
        (
            {'corruptions': ('fog', 'rain')},
            r"`corruptions`: 'fog,rain' given, expected some of gaussian_noise,shot_noise",
        ),
        ({'corruptions': ('fog', 'fog')}, r"`corruptions`: 'fog,fog' given, .*, none twice"),
        ({'severities': (0, 1)}, r"`severities`: '0,1' given, expected some of 1,2,3,4,5, none twice"),
        ({'severities': ()}, r"`severities`: '' given, expected some of 1,2,3,4,5"),
    ],
)
def test_a_choice_of_what_there_is_not_is_wrong_usage(choice: dict[str, tuple[object, ...]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Choice(**choice)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({}, 'no set given, expected at least one of `imagenet`, `imagenet_c`'),
        ({'make': True}, '`corrupt` makes ImageNet-C of the pictures of `imagenet`: give that, and not `imagenet_c`'),
        ({'make': True, 'clean': Path('a'), 'corrupted': Path('b')}, 'and not `imagenet_c`'),
    ],
)
def test_sets_that_do_not_go_together_are_wrong_usage(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_sets(Folders(**given), Choice())  # type: ignore[arg-type]

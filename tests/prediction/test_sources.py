"""What the words of a command mean."""

from pathlib import Path

import pytest

from mobileone_mm.errors import DataError, UsageError
from mobileone_mm.prediction.sources import compared_words, out_paths, picture_files, split_words


@pytest.mark.parametrize(
    ('words', 'count'),
    [
        (['a.mlpackage', 'photos'], 1),
        (['a.onnx', 'b.onnx'], 1),
        (['a.py', 'b.pth', 'photos'], 2),
        (['ssd_mobileone_s2', 'b.pth', 'photos'], 2),  # a shipped config by its name
        (['b.pth', 'a.py', 'photos'], 2),  # the wrong way round: who reads them says so
    ],
)
def test_the_words_of_a_detector_stand_first(words: list[str], count: int) -> None:
    assert split_words(words) == (words[:count], words[count:])


@pytest.mark.parametrize('words', [['photos', 'a.mlpackage'], ['a.py'], ['b.pth'], ['a.png']])
def test_words_that_begin_with_no_detector(words: list[str]) -> None:
    with pytest.raises(UsageError, match=rf'{" ".join(words)}: expected \.mlpackage or \.onnx, or CONFIG\.py .* first'):
        split_words(words)


@pytest.mark.parametrize(
    ('words', 'first', 'expected'),
    [
        (['b.onnx'], ['a.mlpackage'], ['b.onnx']),
        (['c.py', 'b.pth'], ['a.mlpackage'], ['c.py', 'b.pth']),
        (['b.pth'], ['a.py', 'a.pth'], ['a.py', 'b.pth']),
        (['demo_ssd', 'b.pth'], ['a.mlpackage'], ['demo_ssd', 'b.pth']),
    ],
)
def test_a_second_detector(words: list[str], first: list[str], expected: list[str]) -> None:
    assert compared_words(words, first) == expected


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['b.pth'], r'b\.pth: its config is missing, .*a\.mlpackage names.*; give both: CONFIG\.py b\.pth'),
        (['b.onnx', 'a.png'], r'b\.onnx a\.png: expected \.mlpackage or \.onnx, or CONFIG\.py CHECKPOINT\.pth'),
        (['c.py'], 'expected'),
    ],
)
def test_no_second_detector(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compared_words(words, ['a.mlpackage'])


@pytest.mark.parametrize(
    ('files', 'names'),
    [
        (['in/a.png', 'in/b.jpeg'], ['a', 'b']),
        (['in/a.png', 'other/a.png', 'in/a.jpg'], ['a', 'a-2', 'a-3']),
        (['in/a.png', 'in/A.png'], ['a', 'A-2']),
        (['in/a-2.png', 'in/a.png', 'in/a.jpg'], ['a-2', 'a', 'a-3']),
        (['in/a.png', 'in/a.jpg', 'in/a-2.png'], ['a', 'a-2', 'a-2-2']),
        (['in/a.b.png', 'in/a.png'], ['a.b', 'a']),
    ],
)
def test_no_two_pictures_share_a_name(files: list[str], names: list[str], tmp_path: Path) -> None:
    assert out_paths([Path(file) for file in files], tmp_path) == [tmp_path / f'{name}.jpg' for name in names]


def test_files_folders_and_patterns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO', 'mobileone_mm')
    monkeypatch.chdir(tmp_path)
    for name in ('in/b.png', 'in/a.JPG', 'in/notes.txt', 'in/sub/c.png', 'in/d[1].png', 'odd.data'):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()

    def given(*words: str) -> list[str]:
        return [str(file) for file in picture_files(words)]

    assert given('in') == ['in/a.JPG', 'in/b.png', 'in/d[1].png']
    assert [record.getMessage() for record in caplog.records] == ['in: 1 other files skipped']
    assert given('in/*.png') == ['in/b.png', 'in/d[1].png']
    assert given('in/**/*.png') == ['in/b.png', 'in/d[1].png', 'in/sub/c.png']
    assert given('odd.data', 'in/d[1].png') == ['odd.data', 'in/d[1].png']  # named, so it is meant
    assert given('in/b.png', 'in/b.png', 'in/b*') == ['in/b.png']


@pytest.mark.parametrize(
    ('words', 'error', 'message'),
    [
        ([], UsageError, 'no pictures given'),
        (['none.png'], DataError, r'none\.png: no such file or folder, and no file matches it as a pattern'),
        (['*.png'], DataError, r'\*\.png: no such file or folder, and no file matches'),
        (['empty'], DataError, r'empty: a folder without pictures; expected files ending in \.bmp, '),
    ],
)
def test_no_pictures(
    words: list[str], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('empty').mkdir()
    Path('empty/notes.txt').touch()
    with pytest.raises(error, match=message):
        picture_files(words)


def test_a_link_in_a_folder_counts_as_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / 'in').mkdir()
    for name in ('far.png', 'notes.txt'):
        (tmp_path / name).touch()
    (tmp_path / 'in/near').symlink_to(tmp_path / 'far.png')
    (tmp_path / 'in/notes.png').symlink_to(tmp_path / 'notes.txt')
    assert picture_files([str(tmp_path / 'in')]) == [tmp_path / 'in/near']

"""Which kind of file a word names, what is said where it is the wrong one, and what is called after it."""

from pathlib import Path

import pytest

from mobileone_mm.artifact.formats import (
    A_CHECKPOINT,
    A_CONFIG,
    AN_ARTIFACT,
    beside,
    ending_of,
    is_artifact,
    kind_of,
    require_kind,
    size_of,
)
from mobileone_mm.errors import UsageError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ('word', 'kind'),
    [
        ('a.py', 'a config'),
        ('demo_ssd', 'a config'),  # a shipped one
        ('best.pth', 'a checkpoint'),
        ('mobileone_s0.pth.tar', 'a checkpoint'),
        ('https://host/best.pth', 'a checkpoint'),
        ('d.mlpackage', 'a Core ML package'),
        ('d.mlpackage/', 'a Core ML package'),
        ('d.onnx', 'an ONNX file'),
        ('folder', 'a folder'),
        ('folder.pth', 'a folder'),
        ('latest', 'an ONNX file'),  # by what it leads to
        ('a.png', ''),
        ('nothing', ''),
    ],
)
def test_what_a_word_names(word: str, kind: str) -> None:
    for name in ('folder', 'folder.pth', 'demo_ssd'):  # where one trained, the folder is called as the config
        Path(name).mkdir()
    Path('latest').symlink_to('d.onnx')
    assert kind_of(word) == kind


def test_a_file_is_what_it_is_called_though_a_shipped_config_has_that_name() -> None:
    Path('demo_ssd').write_bytes(b'PK')
    assert kind_of('demo_ssd') == ''


def test_the_wrong_kind_is_named_and_what_is_not_known_passes() -> None:
    form = 'mobileone export CONFIG CHECKPOINT'
    with pytest.raises(UsageError, match=rf'^best\.pth is a checkpoint, expected a config: {form}$'):
        require_kind('best.pth', [A_CONFIG], form)
    with pytest.raises(UsageError, match='expected a Core ML package, an ONNX file or a checkpoint: '):
        require_kind('a.py', [*AN_ARTIFACT, A_CHECKPOINT], form)
    for word in ('best.pth', 'weights.bin', 'https://host/best?download=1'):
        require_kind(word, [A_CHECKPOINT], form)


@pytest.mark.parametrize(
    ('source', 'path'),
    [
        ('best.pth', 'best.mlpackage'),
        ('work/epoch_1.5.pth', 'work/epoch_1.5.mlpackage'),
        ('work/mobileone_s0.pth.tar', 'work/mobileone_s0.mlpackage'),
        ('work/best', 'work/best.mlpackage'),
        ('https://host/models/best.pth?download=1', 'best.mlpackage'),
    ],
)
def test_what_is_made_of_a_checkpoint_is_called_after_it(source: str, path: str) -> None:
    assert beside(source, '.mlpackage') == Path(path)


@pytest.mark.parametrize(
    ('name', 'ending', 'artifact'),
    [
        ('d.mlpackage', '.mlpackage', True),
        ('a.b/d.v2.onnx', '.onnx', True),
        ('best.pth', '.pth', False),
        ('d.ONNX', '.ONNX', False),
        ('.onnx', '', False),
        ('d', '', False),
    ],
)
def test_the_ending_says_the_kind(name: str, ending: str, artifact: bool) -> None:
    assert (ending_of(name), is_artifact(name)) == (ending, artifact)


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / 'd.mlpackage').mkdir()
    (tmp_path / 'newest').symlink_to('d.mlpackage')
    (tmp_path / 'latest.onnx').symlink_to('newest')
    assert ending_of(tmp_path / 'latest.onnx') == '.mlpackage'
    assert is_artifact(tmp_path / 'newest')


def test_a_link_into_a_store_of_hashes_is_what_it_is_called(tmp_path: Path) -> None:
    (tmp_path / '74cd9e').touch()
    (tmp_path / 'best.pth').symlink_to('74cd9e')
    assert ending_of(tmp_path / 'best.pth') == '.pth'


def test_size_counts_every_file(tmp_path: Path) -> None:
    (tmp_path / 'a' / 'b').mkdir(parents=True)
    (tmp_path / 'a' / 'b' / 'c').write_bytes(b'12345')
    (tmp_path / 'd').write_bytes(b'123')
    assert size_of(tmp_path) == 8
    assert size_of(tmp_path / 'd') == 3

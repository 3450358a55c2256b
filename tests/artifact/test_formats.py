"""Kinds of files by the ending of their names, and how large they are."""

from pathlib import Path

import pytest

from mobileone_mm.artifact.formats import ending_of, is_artifact, size_of


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


def test_size_counts_every_file(tmp_path: Path) -> None:
    (tmp_path / 'a' / 'b').mkdir(parents=True)
    (tmp_path / 'a' / 'b' / 'c').write_bytes(b'12345')
    (tmp_path / 'd').write_bytes(b'123')
    assert size_of(tmp_path) == 8
    assert size_of(tmp_path / 'd') == 3

"""What a package says about itself can be written and read back."""

import json
import shutil
from pathlib import Path

import pytest

from mobileone_mm.errors import ExportError
from mobileone_mm.export import run
from mobileone_mm.export.package import KEY_PREFIX, info_of, open_package, size_of


def test_info_round_trip(exported: run.Report) -> None:
    assert info_of(exported.info.as_metadata()) == exported.info


def test_info_of_the_saved_file(exported: run.Report, detector: tuple[Path, Path]) -> None:
    info = info_of(open_package(exported.package).metadata)
    assert info == exported.info
    assert (info.config, info.checkpoint) == tuple(map(str, detector))
    assert info.classes == ('circle', 'square', 'triangle')
    assert (info.input_size, info.crop, info.clips_to_image, info.labels_per_box) == ((96, 64), 'scaleFill', False, 1)
    assert [rung['value'] is not None for rung in info.parity] == [True, True, True]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'classes': None}, r'no entry mobileone_mm\.classes; expected a package written by tools/export\.py'),
        ({'classes': '[circle'}, r"mobileone_mm\.classes is '\[circle', expected JSON"),
        ({'classes': '"circle"'}, r"mobileone_mm\.classes is 'circle', expected a list"),
        ({'format': '2'}, r'format 2, expected 1; export again'),
    ],
)
def test_bad_metadata(change: dict[str, str | None], message: str, exported: run.Report) -> None:
    metadata = exported.info.as_metadata()
    for name, text in change.items():
        del metadata[KEY_PREFIX + name]
        if text is not None:
            metadata[KEY_PREFIX + name] = text
    with pytest.raises(ExportError, match=message):
        info_of(metadata)


def test_metadata_are_json(exported: run.Report) -> None:
    assert json.loads(exported.info.as_metadata()['mobileone_mm.input_size']) == [96, 64]


def test_open_refuses(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r'none\.mlpackage: no such package folder'):
        open_package(tmp_path / 'none.mlpackage')
    (tmp_path / 'empty.mlpackage').mkdir()
    with pytest.raises(ExportError, match=r'empty\.mlpackage: cannot be read as a Core ML package: .*Manifest\.json'):
        open_package(tmp_path / 'empty.mlpackage')


@pytest.mark.parametrize('file', ['Manifest.json', 'Data/com.apple.CoreML/model.mlmodel'])
def test_open_refuses_truncated_files(file: str, exported: run.Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.package, tmp_path / 'copy.mlpackage')
    data = (copy / file).read_bytes()
    (copy / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(ExportError, match=r'copy\.mlpackage: cannot be read as a Core ML package'):
        open_package(copy)


def test_size_counts_every_file(tmp_path: Path) -> None:
    (tmp_path / 'a' / 'b').mkdir(parents=True)
    (tmp_path / 'a' / 'b' / 'c').write_bytes(b'12345')
    (tmp_path / 'd').write_bytes(b'123')
    assert size_of(tmp_path) == 8

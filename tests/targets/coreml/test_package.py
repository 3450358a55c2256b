"""A saved package opens, or says why not: what is read is what Core ML would read, and nothing else lies there."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import MANIFEST, MODEL, WEIGHTS, open_package
from programs import changed, operations_of


def test_open_refuses(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r'none\.mlpackage: no such package folder'):
        open_package(tmp_path / 'none.mlpackage')
    (tmp_path / 'empty.mlpackage').mkdir()
    with pytest.raises(ExportError, match=r'empty\.mlpackage: no file Manifest\.json in it'):
        open_package(tmp_path / 'empty.mlpackage')


@pytest.mark.parametrize(
    ('file', 'message'),
    [
        (MANIFEST, r'copy\.mlpackage: Manifest\.json names no model, it is cut or damaged'),
        (MODEL, r'copy\.mlpackage: Data/\S*model\.mlmodel cannot be read as a Core ML model, cut or damaged: '),
    ],
)
def test_open_refuses_truncated_files(file: str | Path, message: str, exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    data = (copy / file).read_bytes()
    (copy / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(ExportError, match=message):
        open_package(copy)


def second_folder(package: Path) -> None:
    shutil.copytree(package / MODEL.parent, package / 'Data/other')


def second_weights(package: Path) -> None:
    shutil.copy(package / WEIGHTS, package / WEIGHTS.parent.parent / 'weight.bin')


def note(package: Path) -> None:
    (package / 'read\x1b[2J me\n.txt').write_text('hello')


def linked(path: Path) -> Callable[[Path], None]:
    def link(package: Path) -> None:
        (package / path).rename(package.parent / 'elsewhere')
        (package / path).symlink_to(package.parent / 'elsewhere')

    return link


BESIDE = 'holds what does not belong into a package: {}; expected a .mlpackage'
LINKED = 'links in it lead elsewhere: {}; put what they lead to in their place'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (second_folder, BESIDE.format("'Data/other'")),
        (second_weights, BESIDE.format("'Data/com.apple.CoreML/weight.bin'")),
        (note, BESIDE.format(r"'read\x1b[2J me\n.txt'")),
        (linked(Path(MANIFEST)), LINKED.format("'Manifest.json'")),
        (linked(MODEL), LINKED.format("'Data/com.apple.CoreML/model.mlmodel'")),
        (linked(WEIGHTS), LINKED.format("'Data/com.apple.CoreML/weights/weight.bin'")),
        (linked(WEIGHTS.parent), LINKED.format("'Data/com.apple.CoreML/weights'")),
        (linked(Path('Data')), LINKED.format("'Data'")),
    ],
)
def test_links_and_what_does_not_belong_there_are_named(
    change: Callable[[Path], None], message: str, exported: Report, tmp_path: Path
) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    change(copy)
    with pytest.raises(ExportError) as caught:
        open_package(copy)
    assert str(caught.value).startswith(f'{copy}: {message}')


def test_what_finder_leaves_is_nothing_foreign(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    (copy / 'Data/.DS_Store').write_bytes(b'Bud1')
    assert open_package(copy).spec == open_package(exported.artifact).spec


def items(manifest: dict[str, Any]) -> Any:
    return manifest['itemInfoEntries']


def item(manifest: dict[str, Any], ending: str) -> Any:
    return next(one for one in items(manifest).values() if one['path'].endswith(ending))


def another_model(path: str) -> Callable[[Any], None]:
    return lambda manifest: item(manifest, '.mlmodel').update(path=path)


def other_weights(path: str) -> Callable[[Any], None]:
    return lambda manifest: item(manifest, 'weights').update(path=path)


NOT_THE_MODEL = 'Manifest.json names the model {}, expected com.apple.CoreML/model.mlmodel'
NOT_THE_WEIGHTS = 'Manifest.json names {} beside the model, expected com.apple.CoreML/weights'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (another_model('other/model.mlmodel'), NOT_THE_MODEL.format("'other/model.mlmodel'")),
        (another_model('/etc/passwd'), NOT_THE_MODEL.format("'/etc/passwd'")),
        (another_model('com.apple.CoreML/../a.mlmodel'), NOT_THE_MODEL.format("'com.apple.CoreML/../a.mlmodel'")),
        (another_model('./a/model.mlmodel'), NOT_THE_MODEL.format("'./a/model.mlmodel'")),
        (other_weights('other/weights'), NOT_THE_WEIGHTS.format("'other/weights'")),
        (other_weights('/tmp'), NOT_THE_WEIGHTS.format("'/tmp'")),
        (lambda manifest: items(manifest).update(more={'path': 'com.apple.CoreML/weights'}), 'Manifest.json names '),
        (lambda manifest: manifest.update(rootModelIdentifier='none'), 'Manifest.json names no model'),
        (lambda manifest: manifest.update(fileFormatVersion='2.0.0'), "Manifest.json is of version '2.0.0', expected"),
    ],
)
def test_a_manifest_that_names_another_place_is_refused(
    change: Callable[[Any], None], message: str, exported: Report, tmp_path: Path
) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    manifest = json.loads((copy / MANIFEST).read_text())
    change(manifest)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ExportError) as caught:
        open_package(copy)
    assert str(caught.value).startswith(f'{copy}: {message}')


def test_a_manifest_that_says_two_things_is_refused(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(text.replace('"path"', '"path": "other", "path"', 1))
    with pytest.raises(ExportError, match=r'Manifest\.json names no model, it is cut or damaged'):
        open_package(copy)


@pytest.mark.parametrize('name', ['/etc/weight.bin', '@model_path/../weight.bin', '@model_path/weights/other.bin', ''])
def test_constants_in_another_file_are_refused(name: str, exported: Report, tmp_path: Path) -> None:
    def change(spec: Any) -> None:
        stored = [value.blobFileValue for one in operations_of(spec) for value in one.attributes.values()]
        [value for value in stored if value.fileName][-1].fileName = name

    copy = changed(exported.artifact, tmp_path, change)
    with pytest.raises(ExportError) as caught:
        open_package(copy)
    expected = f'constants lie in {name!r}, expected them in @model_path/weights/weight.bin'
    assert str(caught.value) == f'{copy}: {expected}'

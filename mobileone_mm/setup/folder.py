"""What a folder of own data is: a set of boxes, of masks or of classes, in one of the layouts that people have."""

import json
import os
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobileone_mm.datasets.checks import require_file
from mobileone_mm.datasets.voc_file import parsed
from mobileone_mm.errors import DataError, UsageError, shown
from mobileone_mm.setup.layouts import (
    CLASSES,
    COCO,
    MASKS,
    VOC,
    Layout,
    class_layout,
    coco_layout,
    is_class_folders,
    is_voc,
    shown_folders,
    voc_layout,
)
from mobileone_mm.setup.mask_folders import MaskFolders, mask_folders

KINDS: Mapping[str, str] = {
    COCO: 'boxes in COCO format',
    VOC: 'boxes in VOC format',
    MASKS: 'pictures and masks',
    CLASSES: 'a folder of pictures for each class',
}
EXPECTED = (
    'expected boxes in COCO format (a .json for training, or one for everything, and the pictures; Roboflow: export as '
    'COCO), in VOC format (JPEGImages/, Annotations/, ImageSets/Main/train.txt), a folder of pictures and one of masks '
    'of the same names, or a folder of pictures for each class'
)
MOST_FILES = 20_000  # that are counted to say what a folder holds
OTHERS: Mapping[str, Callable[[Mapping[str, set[str]]], bool]] = {  # formats that are known and not read
    'in YOLO format': lambda names: any(name.endswith('.txt') for name in names['labels']),
    'in CreateML format': lambda names: '_annotations.createml.json' in names['files'],
    'in a CSV file': lambda names: any(name.endswith('.csv') for name in names['files']),
}


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        template: the config to fill in for it, by name.
        lines: values of the template's variables.
        classes: names, in the order of the labels; empty of masks, which say them otherwise.
        notes: what was taken for granted, in words.
        masks: of a set of masks, where they are.
    """

    template: str
    lines: Mapping[str, Any]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    masks: MaskFolders | None = None


def look(root: Path) -> Found:
    """What a folder of own data holds. Nothing is written there.

    Raises:
        UsageError: there is no such folder.
        DataError: it holds no set that we know, a part of one, or more than one.
    """
    if not root.is_dir():
        raise UsageError(f'{root}: no such folder, expected one of own data')
    coco, voc = coco_layout(root), is_voc(root)
    boxes = 'train_file' in coco.lines or 'val_file' in coco.lines
    if boxes and voc:
        raise DataError(
            f'{root}: holds boxes in COCO format ({_files(coco)}) and in VOC format (Annotations/*.xml), expected one '
            'set; give the folder that holds one of them'
        )
    if boxes:
        return _coco(root, coco)
    if voc:
        return _voc(root)
    masks = mask_folders(root)
    if len(masks) > 1:
        listed = '; '.join(f'{one.lines["images"]} with {one.lines["masks"]}' for one in masks)
        raise DataError(f'{root}: holds several sets of masks: {listed}; name one with `images` and `masks` instead')
    if masks:
        return _masks(masks[0])
    if is_class_folders(root):
        layout = class_layout(root)
        return Found(CLASSES, layout.lines, layout.classes, layout.notes)
    raise DataError(f'{root}: {_what(root)}; {EXPECTED}')


def _coco(root: Path, layout: Layout) -> Found:
    if layout.missing:
        raise DataError(
            f'{root}: holds boxes in COCO format ({_files(layout)}), but not {"; ".join(layout.missing)}; put or link '
            'them there'
        )
    if not layout.classes:
        raise DataError(
            f'{root / layout.lines["train_file"]}: its categories are no classes, expected a name for each, none twice'
        )
    files = [layout.lines[key] for key in ('train_file', 'val_file') if layout.lines[key] is not None]
    used = {name for file in files for name in _annotated(root / file)}
    classes = tuple(name for name in layout.classes if name in used)
    bare = [name for name in layout.classes if name not in used]
    notes = (*layout.notes, *([f'left out, as no box is of them: {shown(bare)}'] if bare else ()))
    others = mask_folders(root)
    if others:
        notes += (f'{others[0].lines["masks"]} may hold masks: to train on those, give `images` and `masks` instead',)
    return Found(COCO, layout.lines, classes, notes)


def _annotated(file: Path) -> set[str]:
    """The names of the categories that a file has boxes of."""
    content = json.loads(file.read_bytes())
    ids = {one.get('category_id') for one in content['annotations'] if isinstance(one.get('category_id'), int | str)}
    return {category['name'] for category in content['categories'] if category.get('id') in ids}


def _voc(root: Path) -> Found:
    layout = voc_layout(root)
    if layout.missing:
        raise DataError(
            f'{root}: holds boxes in VOC format, but not {"; ".join(layout.missing)}; a list has the names of pictures '
            'without endings, one a line'
        )
    names: Counter[str] = Counter()
    stems = (root / layout.lines['train_list']).read_text(encoding='utf-8-sig', errors='surrogateescape').split('\n')
    for stem in filter(None, map(str.strip, stems)):
        names.update(_names_in(root / 'Annotations' / f'{stem}.xml'))
    if not names:
        raise DataError(f'{root / layout.lines["train_list"]}: none of its pictures has an object in Annotations/')
    return Found(VOC, layout.lines, tuple(sorted(names)), layout.notes)


def _names_in(file: Path) -> Iterator[str]:
    """The names of an XML file's objects; none of one that cannot be read, which the data set names with its fault."""
    try:
        require_file(str(file))
        root = parsed(file.read_bytes())
    except (OSError, ET.ParseError, ValueError):
        return
    yield from filter(None, (one.findtext('name') for one in root.findall('object')))


def _masks(folders: MaskFolders) -> Found:
    notes = (
        ()
        if 'val_images' in folders.lines
        else (
            'no folders for validation: a fifth of the pictures is held out, chosen by their names and always the '
            'same; no file is copied or moved',
        )
    )
    return Found(MASKS, folders.lines, (), notes, folders)


def _files(layout: Layout) -> str:
    return ', '.join(filter(None, (layout.lines.get(key) for key in ('train_file', 'val_file'))))


def _what(root: Path) -> str:
    """What a folder holds instead of a set that we know."""
    names: dict[str, set[str]] = {'files': set(), 'labels': set()}
    endings: Counter[str] = Counter()
    for path, below, files in os.walk(root):
        below[:] = [name for name in below if not name.startswith('.')]
        names['files'].update(files)
        names['labels'].update(files if Path(path).name.startswith('label') or 'labels' in Path(path).parts else ())
        endings.update(os.path.splitext(name)[1].lower() or 'without an ending' for name in files)
        if endings.total() > MOST_FILES:
            break
    for kind, fits in OTHERS.items():
        if fits(names):
            return f'holds boxes {kind}, which is not read'
    folders = shown(f'{name}/' for name in shown_folders(root))
    counted = shown(f'{count} {ending}' for ending, count in endings.most_common())
    if not endings:
        return f'holds no file{f", only the folders {folders}" if folders else ""}'
    return f'holds {counted}{f" in {folders}" if folders else ""}, and no set that is known'

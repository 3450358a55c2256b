"""A config's data, looked at whole: what is in it, what is wrong with it, and how its samples look."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mobileone_mm.atomic import Output, replacing_together
from mobileone_mm.datasets.class_faults import in_both
from mobileone_mm.datasets.class_weights import class_weights
from mobileone_mm.errors import ConfigError, DataError, printable, shown
from mobileone_mm.inspection.by_task import KINDS, content_of, innermost
from mobileone_mm.inspection.content import IMAGES, PIXELS, Content, Spread
from mobileone_mm.inspection.samples import samples_of, write_sheet
from mobileone_mm.locks import holding
from mobileone_mm.openmmlab.class_weight import require_usable_class_weights_in
from mobileone_mm.openmmlab.configs import build_model, load_config, quiet, task_of
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.openmmlab.test_data import open_dataset
from mobileone_mm.outputs import CHECK, REPORT, SAMPLES, report_text, require_outputs
from mobileone_mm.setup.reach import reach_of

PARTS = ('train', 'val', 'test')
HEADS = ('decode_head', 'auxiliary_head', 'bbox_head', 'head', 'data_preprocessor')


@dataclass(frozen=True)
class Inspection:
    """What was found in a config's data.

    Attributes:
        task: 'detection', 'segmentation' or 'classification'.
        parts: what 'train', 'val' and 'test' hold, those that can be read; 'test' only where it is not 'val'.
        faults: what has to be mended before a training, by part; 'config' for what concerns all.
        notes: what a training survives and its user should know.
        samples: the sheet; None where it was not drawn.
        checked: whether every file was looked into: of boxes, only this package's data sets do that.
    """

    task: str
    parts: Mapping[str, Content]
    faults: Mapping[str, str]
    notes: tuple[str, ...]
    samples: Path | None
    checked: bool = True


@holding()
def inspect(word: str, out: Path, count: int, seed: int, report: Path | None = None) -> Inspection:
    """Look at all data of the config that `word` names; the sheet of samples and the report appear together.

    Args:
        word: a config file, or the name of a shipped one.
        out: folder for the sheet of samples.
        count: number of samples.
        seed: which samples.
        report: a .json file to write, with what was found.

    Raises:
        UsageError: something stands at `out` or `report` that no check wrote, or another process is writing it.
        ConfigError: the config cannot be read, or has no training data.
        MobileOneError: supervision, which draws boxes, cannot be imported.
    """
    require_outputs([(out, CHECK), (report, REPORT)], [find_config(word)])
    with quiet():  # mmengine prints what it puts into a config
        config = load_config(word)
    task = task_of(config)
    if not config.get('train_dataloader'):
        raise ConfigError(f'{word}: no train_dataloader, expected one; there is nothing to look at')
    KINDS[task].require()  # before the data are read, not after
    parts, faults, datasets = {}, {}, {}
    for part in _parts(config):
        try:
            datasets[part] = open_dataset(config, f'{part}_dataloader', KINDS[task].least)
            parts[part] = content_of(datasets[part], task)
        except DataError as error:
            faults[part] = str(error)
            continue
        if parts[part].faults:
            faults[part] = parts[part].faults
    if wrong := _wrong_model(config, parts.get('train')):
        faults['config'] = wrong
    sheet = None
    if 'train' in parts and 'train' not in faults:
        try:
            sheet = samples_of(config, datasets['train'], count, seed)
        except DataError as error:
            faults['train'] = str(error)
        except ConfigError as error:
            faults['config'] = '; '.join(filter(None, [wrong, str(error)]))
    notes = _notes(parts)
    if task == 'detection' and 'train' in parts and not faults:
        notes += _unreached(config, datasets['train'])
    found = Inspection(
        task,
        parts,
        faults,
        tuple(notes),
        None if sheet is None else out / SAMPLES,
        task != 'detection' or _checked(datasets.values()),
    )
    _write(sheet, out, None if report is None else report_text(report_of(found, word)), report)
    return found


def _checked(datasets: Iterable[Any]) -> bool:
    """Whether the data sets looked into every file when they were read."""
    return all(getattr(inner, 'check', False) for one in datasets for inner in innermost(one))


def _write(sheet: bytes | None, out: Path, text: str | None, report: Path | None) -> None:
    """Write what there is of a sheet and a report."""
    outputs: list[Output] = []
    if sheet is not None:
        outputs.append((out, CHECK))
    if report is not None:
        outputs.append((report, REPORT))
    if not outputs:
        return
    with replacing_together(outputs) as fresh:
        if sheet is not None:
            write_sheet(sheet, fresh[0])
        if text is not None:
            fresh[-1].write_text(text)


def _parts(config: Config) -> list[str]:
    loaders = {part: config.get(f'{part}_dataloader') for part in PARTS}
    return [part for part, one in loaders.items() if one and not (part == 'test' and one == loaders['val'])]


def _wrong_model(config: Config, train: Content | None) -> str:
    wrong = [_wrong_heads(config, len(train.classes))] if train else []
    try:
        require_usable_class_weights_in(config)
    except ConfigError as error:
        wrong.append(str(error))
    return '; '.join(filter(None, wrong))


def _wrong_heads(config: Config, count: int) -> str:
    """Heads that predict another number of classes than the data have."""
    wrong = []
    for name in HEADS:
        heads = config.model.get(name) or []
        for head in heads if isinstance(heads, list) else [heads]:
            if head.get('num_classes', count) != count:
                wrong.append(f'model.{name} has num_classes={head["num_classes"]}')
    return f'{", ".join(wrong)}, and the data have {count} classes; set num_classes={count}' if wrong else ''


def _notes(parts: Mapping[str, Content]) -> list[str]:
    notes = []
    for part, content in parts.items():
        lacking = [name for name, number in zip(content.classes, content.counts, strict=True) if not number]
        if lacking and content.annotated:
            notes.append(f'{part}: nothing of {shown(lacking)}')
        notes += [f'{part}: {note}' for note in content.notes]
    for part in ('val', 'test'):
        both = _shared(parts['train'], parts[part]) if {'train', part} <= set(parts) else 0
        if both:
            many = '1 image is' if both == 1 else f'{both} images are'
            notes.append(f'{many} in train and in {part}, whose score will be too good')
    return notes


def _unreached(config: Config, dataset: Any) -> list[str]:
    """What the anchors of the config's model reach of the boxes, where that is too little."""
    try:
        reach = reach_of(build_model(config), dataset)
    except ConfigError:  # a model that cannot be built is for the training to say
        return []
    return [f'train: {reach.said()}; a training logs what to do'] if reach and reach.low else []


def _shared(train: Content, other: Content) -> int:
    """How many images of another part are trained on: by their paths, of classifiers' also by what the files hold."""
    both = train.paths & other.paths
    if train.unit == IMAGES:
        copies = in_both(sorted(other.paths - both), sorted(train.paths - both))
        return len(both) + len(list(copies))
    return len(both)


def weights_line(found: Inspection, word: str) -> str:
    """The line of a config that weighs classes by the pixels of the training masks; empty for boxes, or if it does."""
    train = found.parts.get('train')
    if train is None or train.unit != PIXELS or not any(train.counts):
        return ''
    weights = [round(weight, 2) for weight in class_weights(train.counts)]
    with quiet():
        config = load_config(word)
    if config.get('class_weight'):
        return ''
    if 'class_weight' in config:  # as our own template has it
        return f'class_weight = {weights}'
    loss = f"dict(type='mobileone_mm.CrossEntropyLoss', class_weight={weights})"
    return f'model = dict(decode_head=dict(loss_decode={loss}))'


def report_of(found: Inspection, word: str) -> dict[str, Any]:
    """What was found, for a JSON file."""
    return {
        'config': word,
        'task': found.task,
        'parts': {part: _as_json(content) for part, content in found.parts.items()},
        'faults': dict(found.faults),
        'notes': list(found.notes),
        'samples': str(found.samples) if found.samples else None,
    }


def _as_json(content: Content) -> dict[str, Any]:
    rows = zip(content.classes, content.counts, content.images_with, strict=True)
    return {
        'images': content.images,
        'image_size_px': _sizes(content.image_size),
        'box_size_px': _sizes(content.box_size),
        'classes': {name: {content.unit: count, 'images': images} for name, count, images in rows},
        'ignored': content.ignored,
    }


def _sizes(sizes: tuple[Spread, Spread] | None) -> dict[str, Any] | None:
    return dict(zip(('width', 'height'), map(asdict, sizes), strict=True)) if sizes else None


def table_of(part: str, content: Content) -> list[str]:
    """What a part holds, line by line."""
    of_boxes = f'; boxes {_said(content.box_size)}' if content.box_size else ''
    size = f', {_said(content.image_size)}' if content.image_size else ''
    lines = [f'{part}: {content.images} images{size}{of_boxes}']
    if not content.annotated:
        return [f'{lines[0]}; no annotations']
    names = [printable(name) for name in content.classes]
    width = max(len('no class'), *map(len, names))
    rows = [('class', content.unit, 'share', 'images')]
    total = max(1, sum(content.counts) + (content.ignored if content.unit == PIXELS else 0))
    for name, count, images in zip(names, content.counts, content.images_with, strict=True):
        rows.append((name, f'{count:,}', f'{count / total:.1%}', f'{images:,}'))
    if content.ignored:
        share = f'{content.ignored / total:.1%}' if content.unit == PIXELS else ''
        rows.append(('no class' if content.unit == PIXELS else 'ignored', f'{content.ignored:,}', share, ''))
    if content.unit == IMAGES:
        rows = [(*row[:3], '') for row in rows]  # the number of images stands there already
    return lines + [f'  {a:{width}}  {b:>13}  {c:>6}  {d:>7}'.rstrip() for a, b, c, d in rows]


def _said(sizes: tuple[Spread, Spread]) -> str:
    width, height = sizes
    if width.least == width.most and height.least == height.most:
        return f'{width.most:g} x {height.most:g} px'
    ranges = [f'{one.least:.0f} to {one.most:.0f} px {way}' for one, way in ((width, 'wide'), (height, 'high'))]
    return f'{" and ".join(ranges)}, median {width.median:.0f} x {height.median:.0f}'

"""What an exported file says about itself, whatever its task and format. Specified in docs/package.md."""

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mobileone_mm.errors import ExportError, printable

FORMAT_VERSION = 3
PRECISIONS = ('float16', 'float32')  # in which a program may compute
PASSED = 'passed'  # the verdict on a file that passed every check
FAILED = 'FAILED'  # how that on a file begins that failed one
STORED = (*PRECISIONS, 'int8', 'palette8', 'palette6')  # how weights may be stored
EXPERIMENTAL = ('palette6',)  # below 8 bits, scores fall unless a model is trained for it
KEY_PREFIX = 'mobileone_mm.'  # of every key in the user-defined metadata

IMAGE = 'image'  # the input that every artifact has

RUNG_FIELDS = {'name', 'value', 'limit', 'unit', 'note', 'psnr_db'}
SCALE_FILL = 'scaleFill'  # VNImageCropAndScaleOption: stretch to the input size, as keep_ratio=False trains
CENTER_CROP = 'centerCrop'  # the same: fill the input size, and cut off what is over, as a pipeline's CenterCrop does
RESIZE = 'resize'  # the setting of tasks whose files say how their pictures are resized: see `Resampling`
CROPS = {SCALE_FILL: 'stretched, not cropped', CENTER_CROP: 'cropped to the middle, not stretched'}
LONGEST_SHOWN = 200  # characters of a wrong value in a message


@dataclass(frozen=True)
class Card:
    """What an exported file says about itself; each field is one entry `mobileone_mm.<field>` of its metadata, as JSON.

    Attributes:
        task: 'detection', 'segmentation' or 'classification'.
        config: path of the config, as it was given.
        checkpoint: path of the checkpoint, as it was given.
        checkpoint_sha256: of the checkpoint file.
        classes: the real classes, in order; columns and labels beyond them are padding.
        input_size: (width, height) in pixels.
        crop: Vision option that repeats the training's resize.
        target: oldest system a package is for; of an ONNX file, its operator set.
        precision: type the program computes in, one of `PRECISIONS`.
        fp32_ops: patterns of the layers that compute in float32 nevertheless.
        weights: how weights are stored, one of `STORED`.
        versions: of what made the file, by name.
        layers: layer of the torch model that an operation of the program computes, by the operation's output.
        probe: what the graph gives for the drawn picture: the task's `digest`.
        noise: how far rounding alone moves what the graph gives: by the type, then by the unit of a check.
        parity: the checks that were made before it was saved (`ladder.Rung`), as dicts, and what failed later.
        verdict: of all checks: `PASSED`, or `ladder.failure` of the first that failed, for a file that was kept.
        settings: what the task says beside that (thresholds, ...); each is an entry of its own in the metadata.
        format: version of this list.
    """

    task: str
    config: str
    checkpoint: str
    checkpoint_sha256: str
    classes: tuple[str, ...]
    input_size: tuple[int, int]
    crop: str
    target: str
    precision: str
    fp32_ops: tuple[str, ...]
    weights: str
    versions: Mapping[str, str]
    layers: Mapping[str, str]
    probe: Mapping[str, Any]
    noise: Mapping[str, Mapping[str, float]]
    parity: tuple[Mapping[str, Any], ...]
    verdict: str
    settings: Mapping[str, Any]
    format: int = FORMAT_VERSION

    @property
    def failed(self) -> bool:
        """Whether it was written although a check failed."""
        return self.verdict != PASSED

    def described(self, text: str) -> str:
        """A description of the file, which begins with the verdict where a check failed."""
        return f'{self.verdict}. {text}'.strip() if self.failed else text

    def as_metadata(self) -> dict[str, str]:
        """The entries of the user-defined metadata, by name."""
        fields = asdict(self)
        fields |= fields.pop('settings')
        return {KEY_PREFIX + key: json.dumps(fields[key], sort_keys=True) for key in sorted(fields)}


@dataclass(frozen=True)
class Check:
    """What a value read from JSON has to be, in words and as a test that is safe for any value."""

    expected: str
    holds: Callable[[Any], bool]


def one_of(*values: Any) -> Check:
    """The check that a value is one of these."""
    # By type too: to Python, true is 1.
    allowed = [(type(value), value) for value in values]
    return Check(_or(values), lambda value: (type(value), value) in allowed)


def _or(values: Iterable[Any]) -> str:
    return ' or '.join(json.dumps(value) for value in values)


def is_number(value: Any) -> bool:
    """Whether it is a finite number; NaN and infinity are not, nor is a boolean."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != '' and printable(value) == value


def _is_list_of(check: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(check(item) for item in value)


def _is_rung(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != RUNG_FIELDS:
        return False
    texts = (value['name'], value['unit'], value['note'])
    measured = value['value'] is None or (is_number(value['value']) and value['value'] >= 0)
    numbers = measured and is_number(value['limit']) and (value['psnr_db'] is None or is_number(value['psnr_db']))
    # Printable, since they are printed as they are.
    return numbers and all(isinstance(text, str) and text.isprintable() for text in texts)


def _is_noise(value: Any) -> bool:
    if not isinstance(value, dict) or not set(value) <= set(PRECISIONS):
        return False
    kinds = list(value.values())
    return all(
        isinstance(kind, dict) and all(is_number(moved) and moved >= 0 for moved in kind.values()) for kind in kinds
    )


def _is_verdict(value: Any) -> bool:
    return value == PASSED or (_is_text(value) and value.startswith(f'{FAILED}: ') and value.isprintable())


def _is_dict_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(text) for item in value.items() for text in item)


_TEXT = Check('a text without control characters', _is_text)
FRACTION = Check('a number in 0..1', lambda value: is_number(value) and 0 <= value <= 1)
SHA256 = Check('64 hex digits', lambda value: isinstance(value, str) and bool(re.fullmatch('[0-9a-f]{64}', value)))

# One check for each field of a card but those that depend on the task; the version first: it says what the others
# may be.
CHECKS: Mapping[str, Check] = {
    'format': one_of(FORMAT_VERSION),
    'task': _TEXT,
    'config': _TEXT,
    'checkpoint': _TEXT,
    'checkpoint_sha256': SHA256,
    'classes': Check(
        'a list of texts, at least one and none twice, without control characters',
        lambda value: _is_list_of(_is_text, value) and len(set(value)) == len(value),
    ),
    'input_size': Check(
        '[width, height] in whole pixels',
        lambda value: _is_list_of(lambda side: type(side) is int and side > 0, value) and len(value) == 2,
    ),
    'crop': one_of(*CROPS),
    'target': _TEXT,
    'precision': one_of(*PRECISIONS),
    'fp32_ops': Check('a list of texts', lambda value: value == [] or _is_list_of(_is_text, value)),
    'weights': one_of(*STORED),
    'versions': Check('versions as texts, by name', lambda value: _is_dict_of_texts(value) and value != {}),
    'layers': Check('layers as texts, by operation', _is_dict_of_texts),
    'noise': Check('numbers from 0 by unit, for "float32" or "float16"', _is_noise),
    'verdict': Check(f'{json.dumps(PASSED)}, or a text that begins with "{FAILED}: "', _is_verdict),
    'parity': Check(
        'a list of checks: name, value (a number from 0, or null), limit (a number), unit, note, psnr_db (or null)',
        lambda value: _is_list_of(_is_rung, value),
    ),
}


def task_of(metadata: Mapping[str, str], known: Collection[str]) -> str:
    """The task that a file says it is for, one of the `known` ones.

    Raises:
        ExportError: it says none or another, or another version wrote it.
    """
    require_format(metadata)
    value = value_of(metadata, 'task', CHECKS['task'])
    if value not in known:
        raise ExportError(f'metadata: {KEY_PREFIX}task is {json.dumps(value)}, expected {_or(known)}')
    return str(value)


def require_format(metadata: Mapping[str, str]) -> None:
    """Refuse a file that another version wrote.

    Raises:
        ExportError: with its version and ours.
    """
    try:
        value_of(metadata, 'format', CHECKS['format'])
    except ExportError as error:
        raise ExportError(f'{error}; export it again with this version') from error


def card_of(metadata: Mapping[str, str], probe: Check, settings: Mapping[str, Check]) -> Card:
    """Read a card back from user-defined metadata, each value checked by itself.

    Args:
        metadata: of the file.
        probe: the check of what the task stores about the drawn picture.
        settings: the checks of what else the task stores, by name.

    Raises:
        ExportError: entries are missing, or are not what they have to be (all of them are named), or another version
            wrote them.
    """
    values: dict[str, Any] = {}
    faults = []
    for name, check in {**CHECKS, 'probe': probe, **settings}.items():
        try:
            value = value_of(metadata, name, check)
        except ExportError as error:
            faults.append(str(error))
            continue
        values[name] = tuple(value) if isinstance(value, list) else value
    if faults:
        raise ExportError('; '.join(faults))
    own = {name: values.pop(name) for name in settings}
    return Card(**values, settings=own)


def parity_faults(card: Card) -> Iterator[str]:
    """What is wrong with the rungs that a file names: a rule of every format's contract.

    One that failed is no fault of a file whose verdict says that it failed.
    """
    made = [rung for rung in card.parity if rung['value'] is not None]
    if not made:
        yield f'none of the {len(card.parity)} checks in the metadata has a value, expected at least one'
    for rung in made:
        if rung['value'] > rung['limit'] and not card.failed:
            yield f'check {rung["name"]!r}: {rung["value"]:g} {rung["unit"]}, expected {rung["limit"]:g} at most'


def value_of(metadata: Mapping[str, str], name: str, check: Check) -> Any:
    """The value of an entry `mobileone_mm.<name>`.

    Raises:
        ExportError: it is missing, or not what it has to be.
    """
    key = KEY_PREFIX + name
    if key not in metadata:
        raise ExportError(f'metadata: no entry {key}, expected {check.expected}')
    text = metadata[key]
    shown = text if len(text) <= LONGEST_SHOWN else f'{text[:LONGEST_SHOWN]}...'
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExportError(f'metadata: {key} is {shown!r}, expected JSON: {check.expected}') from error
    if not check.holds(value):
        raise ExportError(f'metadata: {key} is {shown}, expected {check.expected}')
    return value

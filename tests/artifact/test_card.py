"""What a package says about itself can be written and read back."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.artifact.card import CHECKS, KEY_PREFIX, Card, parity_faults
from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.tasks.by_name import read_card


def test_a_card_round_trip(exported: Report) -> None:
    assert read_card(exported.info.as_metadata()) == exported.info


def test_the_card_of_the_saved_file(exported: Report, detector: tuple[Path, Path]) -> None:
    card = read_card(open_package(exported.artifact).metadata)
    assert card == exported.info
    assert (card.config, card.checkpoint) == tuple(map(str, detector))
    assert card.classes == ('circle', 'square', 'triangle')
    assert (card.input_size, card.crop) == ((96, 64), 'scaleFill')
    assert card.settings == {
        'clips_to_image': False,
        'labels_per_box': 1,
        'iou_threshold': 0.45,
        'confidence_threshold': 0.25,
    }
    assert [rung['value'] is not None for rung in card.parity] == [True] * 4


RUNG = {'name': 'r', 'value': 0.5, 'limit': 1.0, 'unit': 'px', 'note': '', 'psnr_db': None}
RUNGS_EXPECTED = r'expected a list of checks: name, value'
DEEP = '[' * 100_000


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('format', 2, r'format is 2, expected 3; export it again with this version'),
        ('format', True, r'format is true, expected 3'),
        ('task', 'flight', r'task is "flight", expected "detection"'),
        ('config', None, r'config is null, expected a text'),
        ('checkpoint', '', r'checkpoint is "", expected a text'),
        ('checkpoint_sha256', 'zz', r'checkpoint_sha256 is "zz", expected 64 hex digits'),
        ('checkpoint_sha256', None, r'checkpoint_sha256 is null, expected 64 hex digits'),
        ('checkpoint_sha256', 'A' * 64, r'checkpoint_sha256 is "A+", expected 64 hex digits'),
        ('classes', 'circle', r'classes is "circle", expected a list of texts'),
        ('classes', [], r'classes is \[\], expected a list of texts, at least one and none twice'),
        ('classes', [1, 2], r'classes is \[1, 2\], expected a list of texts'),
        ('classes', ['a', 'b', 'a'], r'classes is \["a", "b", "a"\], expected a list of texts, .* none twice'),
        ('input_size', [96], r'input_size is \[96\], expected \[width, height\]'),
        ('input_size', [96, 64, 1], r'input_size is \[96, 64, 1\], expected'),
        ('input_size', [96, 0], r'input_size is \[96, 0\], expected'),
        ('input_size', [96, 64.0], r'input_size is \[96, 64\.0\], expected'),
        ('crop', 'scaleFit', r'crop is "scaleFit", expected "scaleFill" or "centerCrop"'),
        ('clips_to_image', True, r'clips_to_image is true, expected false'),
        ('labels_per_box', 'many', r'labels_per_box is "many", expected 1'),
        ('target', [], r'target is \[\], expected a text'),
        ('config', 'a\x1b[2Jb', r'config is "a\\u001b\[2Jb", expected a text without control characters'),
        ('classes', ['a', 'b\nc'], r'classes is .*, expected a list of texts, .* without control characters'),
        ('classes', ['a\u202eb'], r'classes is .*, expected a list of texts, .* without control characters'),
        ('layers', {'a\x9b': 'b'}, r'layers is .*, expected layers as texts'),
        ('precision', 7, r'precision is 7, expected "float16"'),
        ('fp32_ops', [3], r'fp32_ops is \[3\], expected a list of texts'),
        ('weights', 'int4', r'weights is "int4", expected "float16" or'),
        ('layers', ['a'], r'layers is \["a"\], expected layers as texts'),
        ('probe', {'rows': []}, r'probe is .*, expected a fingerprint'),
        ('iou_threshold', 'a', r'iou_threshold is "a", expected a number in 0\.\.1'),
        ('iou_threshold', None, r'iou_threshold is null, expected a number'),
        ('iou_threshold', True, r'iou_threshold is true, expected a number'),
        ('confidence_threshold', 1.5, r'confidence_threshold is 1\.5, expected a number in 0\.\.1'),
        ('confidence_threshold', float('nan'), r'confidence_threshold is NaN, expected a number'),
        ('confidence_threshold', 10**400, r'confidence_threshold is 10+\.\.\., expected a number'),
        ('versions', None, r'versions is null, expected versions as texts, by name'),
        ('versions', {}, r'versions is \{\}, expected versions'),
        ('versions', {'torch': 2}, r'versions is \{"torch": 2\}, expected versions'),
        ('noise', [], r'noise is \[\], expected numbers from 0 by unit'),
        ('noise', {'float64': {}}, r'expected numbers from 0 by unit, for "float32" or "float16"'),
        ('noise', {'float32': {'px': -1}}, r'expected numbers from 0'),
        ('noise', {'float32': {'px': True}}, r'expected numbers from 0'),
        ('noise', {'float16': {'score': float('nan')}}, r'expected numbers from 0'),
        ('verdict', 'sound', r'verdict is "sound", expected "passed", or a text that begins with "FAILED: "'),
        ('verdict', 'FAILED: a\nb', r'expected "passed", or'),
        ('verdict', None, r'verdict is null, expected "passed", or'),
        ('parity', 'a', rf'parity is "a", {RUNGS_EXPECTED}'),
        ('parity', [], rf'parity is \[\], {RUNGS_EXPECTED}'),
        ('parity', [{}], rf'parity is \[\{{\}}\], {RUNGS_EXPECTED}'),
        ('parity', ['a'], rf'parity is \["a"\], {RUNGS_EXPECTED}'),
        ('parity', [RUNG, {**RUNG, 'value': 'y'}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'value': float('nan')}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'value': -1}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'limit': None}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'limit': float('inf')}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'unit': 5}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'note': '\ud800'}], RUNGS_EXPECTED),
        ('parity', [{**RUNG, 'more': 1}], RUNGS_EXPECTED),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any, message: str, exported: Report) -> None:
    metadata = {**exported.info.as_metadata(), KEY_PREFIX + name: json.dumps(value)}
    with pytest.raises(ExportError, match=rf'^metadata: mobileone_mm\.(?={name} is ).*{message}'):
        read_card(metadata)


@pytest.mark.parametrize('text', ['[circle', '', DEEP], ids=['open', 'empty', 'deep'])
def test_what_is_no_json_is_named(text: str, exported: Report) -> None:
    metadata = {**exported.info.as_metadata(), KEY_PREFIX + 'classes': text}
    with pytest.raises(ExportError, match=r"mobileone_mm\.classes is '.{0,203}', expected JSON: a list of texts"):
        read_card(metadata)


def test_missing_entries_are_all_named(exported: Report) -> None:
    metadata = exported.info.as_metadata()
    for name in ('classes', 'target'):
        del metadata[KEY_PREFIX + name]
    with pytest.raises(
        ExportError, match=r'no entry mobileone_mm\.classes, expected .*; .*no entry mobileone_mm\.target'
    ):
        read_card(metadata)


def test_other_keys_are_ignored(exported: Report) -> None:
    assert read_card({**exported.info.as_metadata(), 'mobileone_mm.more': '1', 'mine': '['}) == exported.info


def test_each_field_has_a_check() -> None:
    assert {*CHECKS, 'probe', 'settings'} == {field.name for field in fields(Card)}  # these two the task checks


def test_metadata_are_json(exported: Report) -> None:
    assert json.loads(exported.info.as_metadata()['mobileone_mm.input_size']) == [96, 64]


OVER = {**RUNG, 'value': 2.0}
FAILED = 'FAILED: r (2 px, limit 1 px)'


@pytest.mark.parametrize(
    ('verdict', 'rungs', 'faults'),
    [
        ('passed', (RUNG,), []),
        ('passed', (RUNG, OVER), ["check 'r': 2 px, expected 1 at most"]),
        (FAILED, (RUNG, OVER), []),
        (FAILED, (RUNG,), []),  # what failed may be no number, which JSON does not have
        (
            FAILED,
            ({**RUNG, 'value': None},),
            ['none of the 1 checks in the metadata has a value, expected at least one'],
        ),
    ],
)
def test_a_check_that_failed_may_be_told_and_not_hidden(
    verdict: str, rungs: tuple[Any, ...], faults: list[str], exported: Report
) -> None:
    assert list(parity_faults(replace(exported.info, verdict=verdict, parity=rungs))) == faults


def test_a_description_begins_with_what_failed(exported: Report) -> None:
    assert exported.info.described('SSD detector') == 'SSD detector'
    failed = replace(exported.info, verdict=FAILED)
    assert failed.described('SSD detector') == f'{FAILED}. SSD detector'
    assert failed.described('') == f'{FAILED}.'

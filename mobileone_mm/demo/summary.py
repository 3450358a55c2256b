"""What came out of a finished demo, out of the reports that its steps wrote."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobileone_mm.artifact.ladder import plain_name
from mobileone_mm.demo.steps import FOLDER, Done

METRICS = {'mAP50': 'coco/bbox_mAP_50', 'mAP': 'coco/bbox_mAP'}
REPORT = 'detector.mlpackage.report.html'


def facts(root: Path, done: Sequence[Done]) -> dict[str, str]:
    """What came out of a finished demo, a line each."""
    export, looked = _read(root / FOLDER / 'export.json'), _read(root / FOLDER / 'predictions/predictions.json')
    truth = _read(root / FOLDER / 'data/annotations/val.json')
    trained, *_, package = export['scores']['rows']
    classes = ', '.join(category['name'] for category in truth['categories'])
    agreed = looked['agreement']
    return {
        'score': f'{_said(package)}; the trained model {_said(trained)}',
        'package': f'{FOLDER}/detector.mlpackage, {export["bytes"] / 1e6:.1f} MB, finds {classes}',
        'agreement': f'{agreed["agreeing"]} of {agreed["left"]} boxes of the package agree with the model',
        'scored on': f'{len(truth["images"])} validation pictures, {len(truth["annotations"])} boxes',
        'time': f'{sum(step.seconds for step in done):.0f} s',
    }


def summary(root: Path, done: Sequence[Done]) -> str:
    """The page about a finished demo, as Markdown."""
    export, looked = _read(root / FOLDER / 'export.json'), _read(root / FOLDER / 'predictions/predictions.json')
    scores = [_cells(row['name'], row['rule'], *_values(row)) for row in export['scores']['rows']]
    checks = [
        _cells(plain_name(check['name']), _value(check), f'{check["limit"]:g} {check["unit"]}')
        for check in export['ladder']
    ]
    steps = [_cells(step.name, f'{step.seconds:.0f} s', f'`{step.command}`') for step in done]
    fullest = max(looked['pictures'], key=lambda entry: len(entry['detections']))
    return '\n'.join(
        [
            '# A detector of drawn shapes, from nothing to Core ML',
            '',
            '| | |',
            '| --- | --- |',
            *(_cells(name, text) for name, text in facts(root, done).items()),
            '',
            f'In a browser: [{REPORT}]({REPORT}), every check, score and picture of the export on one page.',
            '',
            '## What was learned',
            '',
            '![left of each pair: what was drawn; right: what was found](pictures.png)',
            '',
            'The first validation pictures, not the best ones; found by the trained checkpoint.',
            '',
            '## Is the package the same as the model you trained?',
            '',
            _cells('', 'rule', *METRICS),
            _cells(*['---'] * (2 + len(METRICS))),
            *scores,
            '',
            'On so few pictures, rounding to float16 moves a score by some tenths of a point, up or down.',
            '',
            f'![left: found by the package; right: by the trained model](predictions/{fullest["picture"]})',
            '',
            'The validation picture with the most boxes; all of them are in [predictions](predictions). A box that '
            'differs would have a red frame. Where two boxes of one shape have nearly the same score, rounding decides '
            'which of them suppresses the other: that is where agreeing boxes are pixels apart.',
            '',
            '| check | largest difference | limit |',
            '| --- | --- | --- |',
            *checks,
            '',
            '## What was run',
            '',
            'In this folder. Whole outputs: [logs](logs).',
            '',
            '| step | time | command |',
            '| --- | --- | --- |',
            *steps,
            '',
        ]
    )


def _cells(*texts: str) -> str:
    return f'| {" | ".join(texts)} |'


def _said(row: dict[str, Any]) -> str:
    return ', '.join(f'{name} {value}' for name, value in zip(METRICS, _values(row), strict=True))


def _values(row: dict[str, Any]) -> list[str]:
    # A detector that finds nothing anywhere has no metrics.
    values = [row['metrics'].get(key) for key in METRICS.values()]
    return ['-' if value is None else f'{value:.3f}' for value in values]


def _value(check: dict[str, Any]) -> str:
    return check['note'] if check['value'] is None else f'{check["value"]:.3g} {check["unit"]}'


def _read(path: Path) -> Any:
    return json.loads(path.read_text())

"""What came out of a finished demo, out of the reports that its steps wrote."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobileone_mm.artifact.ladder import plain_name
from mobileone_mm.demo.demo import Demo
from mobileone_mm.demo.steps import FOLDER, Done
from mobileone_mm.outputs import page_of


def facts(demo: Demo, root: Path, done: Sequence[Done]) -> dict[str, str]:
    """What came out of a finished demo, a line each."""
    folder = root / FOLDER
    export, looked = _read(folder / 'export.json'), _read(folder / 'predictions/predictions.json')
    trained, *_, package = [_values(demo, export['scores'], row) for row in export['scores']['rows']]
    return {
        'score': f'{_said(demo, package)}; the trained model {_said(demo, trained)}',
        'package': f'{FOLDER}/{demo.package}, {export["bytes"] / 1e6:.1f} MB, knows {", ".join(demo.classes)}',
        'agreement': demo.agreed(looked['agreement']),
        'scored on': f'{export["scores"]["pictures"]} validation pictures, {demo.truth(folder)}',
        'time': f'{sum(step.seconds for step in done):.0f} s',
    }


def summary(demo: Demo, root: Path, done: Sequence[Done]) -> str:
    """The page about a finished demo, as Markdown."""
    export, looked = _read(root / FOLDER / 'export.json'), _read(root / FOLDER / 'predictions/predictions.json')
    scores = [
        _cells(row['name'], row['rule'], *_values(demo, export['scores'], row)) for row in export['scores']['rows']
    ]
    checks = [
        _cells(plain_name(check['name']), _value(check), f'{check["limit"]:g} {check["unit"]}')
        for check in export['ladder']
    ]
    steps = [_cells(step.name, f'{step.seconds:.0f} s', f'`{step.command}`') for step in done]
    shown = max(looked['pictures'], key=demo.interest)
    report = page_of(Path(demo.package)).name
    return '\n'.join(
        [
            f'# A {demo.noun} of drawn shapes, from nothing to Core ML',
            '',
            '| | |',
            '| --- | --- |',
            *(_cells(name, text) for name, text in facts(demo, root, done).items()),
            '',
            f'In a browser: [{report}]({report}), every check, score and picture of the export on one page.',
            '',
            '## What was learned',
            '',
            '![left of each pair: what was drawn; right: what was found](pictures.png)',
            '',
            'The first validation pictures, not the best ones; found by the trained checkpoint.',
            '',
            '## Is the package the same as the model you trained?',
            '',
            _cells('', 'rule', *demo.metrics),
            _cells(*['---'] * (2 + len(demo.metrics))),
            *scores,
            '',
            'On so few pictures, rounding to float16 moves a score by up to some tenths of a point, up or down.',
            '',
            f'![left: found by the package; right: by the trained model](predictions/{shown["picture"]})',
            '',
            demo.shown,
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


def _said(demo: Demo, values: Sequence[str]) -> str:
    return ', '.join(f'{name} {value}' for name, value in zip(demo.metrics, values, strict=True))


def _values(demo: Demo, scores: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """The shown metrics of a row as they are counted: percent, or fractions of 1."""
    digits = 2 if scores['percent'] else 3
    # A detector that finds nothing anywhere has no metrics.
    values = [row['metrics'].get(key) for key in demo.metrics.values()]
    return ['-' if value is None else f'{value:.{digits}f}' for value in values]


def _value(check: dict[str, Any]) -> str:
    return check['note'] if check['value'] is None else f'{check["value"]:.3g} {check["unit"]}'


def _read(path: Path) -> Any:
    return json.loads(path.read_text())

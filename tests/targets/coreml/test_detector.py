"""Columns, labels and the suppression stage."""

import pytest

from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.detector import columns_for, labels_for
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.package import open_package


@pytest.mark.parametrize(
    ('classes', 'columns'), [(1, 80), (3, 80), (20, 80), (34, 80), (79, 80), (80, 80), (81, 160), (160, 160)]
)
def test_columns_fill_up_to_the_next_multiple_of_80(classes: int, columns: int) -> None:
    names = [str(index) for index in range(classes)]
    assert columns_for(names, CoreMLOptions()) == columns
    assert columns_for(names, CoreMLOptions(pad_classes=False)) == classes


@pytest.mark.parametrize(
    ('classes', 'columns', 'labels'),
    [
        (['a'], 1, ['a']),
        (['a', 'b'], 4, ['a', 'b', 'unused_2', 'unused_3']),
        (['unused_1'], 2, ['unused_1', '_unused_1']),
        (['unused', '_unused_2'], 3, ['unused', '_unused_2', '__unused_2']),
    ],
)
def test_placeholders_are_no_class(classes: list[str], columns: int, labels: list[str]) -> None:
    assert labels_for(classes, columns) == labels
    assert len(set(labels)) == columns


def test_stages_carry_the_thresholds(exported: Report) -> None:
    spec = open_package(exported.artifact).spec
    suppression = spec.pipeline.models[1].nonMaximumSuppression
    assert (suppression.iouThreshold, suppression.confidenceThreshold) == (0.45, 0.25)
    assert list(suppression.stringClassLabels.vector)[:4] == ['circle', 'square', 'triangle', 'unused_3']
    assert [(one.name, one.type.isOptional) for one in spec.description.input] == [
        ('image', False),
        ('iouThreshold', True),
        ('confidenceThreshold', True),
    ]
    assert 'default 0.45' in spec.description.input[1].shortDescription
    assert spec.description.metadata.shortDescription == 'SSD detector, 3 classes, 96x64 px'

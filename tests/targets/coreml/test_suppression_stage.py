"""The suppression stage, read back from a package: its defaults, and what it cannot say."""

import numpy as np
import pytest

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.suppression_stage import Suppression, read_suppression


@pytest.fixture
def stage(exported: Report) -> Suppression:
    return read_suppression(open_package(exported.artifact).spec.pipeline.models[1])


def test_defaults_are_the_packages(stage: Suppression) -> None:
    values = {
        'raw_confidence': np.array([[0.25, 0], [0.24, 0], [0.3, 0]], np.float32),
        'raw_coordinates': np.array([[0.2, 0.2, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1], [0.2, 0.2, 0.1, 0.1]], np.float32),
    }
    found = stage(values)
    assert found['confidence'].tolist() == values['raw_confidence'][[2]].tolist()
    assert found['coordinates'].tolist() == values['raw_coordinates'][[2]].tolist()
    lower = stage({**values, 'confidenceThreshold': 0.2})
    assert lower['confidence'].tolist() == values['raw_confidence'][[2, 1]].tolist()
    more = stage({**values, 'iouThreshold': 1.0})
    assert more['confidence'].tolist() == values['raw_confidence'][[2, 0]].tolist()


def test_a_limited_number_of_boxes_is_refused(exported: Report) -> None:
    spec = open_package(exported.artifact).spec.pipeline.models[1]
    spec.description.output[0].type.multiArrayType.shapeRange.sizeRanges[0].upperBound = 100
    with pytest.raises(ExportError, match='confidence has a limited number of boxes, expected any number'):
        read_suppression(spec)

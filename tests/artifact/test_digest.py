"""The digest: of the content of a message, in one way for one content; and a file that is not what was written."""

import json
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileone_mm.artifact.digest import KEY, digest_of, entry, known_copy, require_unchanged
from mobileone_mm.errors import ExportError

VALUES = np.array([[1, 2, 3, 4]], np.float32)


def model(name: str = 'a', values: Any = VALUES, **more: Any) -> Any:
    node = onnx.helper.make_node('Clip', ['x', name], ['y'], name='n', **more)
    graph = onnx.helper.make_graph([node], 'g', [], [], [numpy_helper.from_array(values, name)])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)])


def test_each_change_changes_it() -> None:
    others = [
        model(),
        model('b'),
        model(values=VALUES.T),
        model(values=VALUES.view(np.int32)),
        model(values=np.nextafter(VALUES, np.float32(9))),
        model(number=1),
        model(number=0),
        model(number=1.0),
        model(number=[1]),
        model(number='1'),
        model(number=b''),
    ]
    found = [digest_of(one, []) for one in others]
    assert len(set(found)) == len(found)
    assert all(len(one) == 64 for one in found)


def test_it_is_of_the_content_and_not_of_the_bytes() -> None:
    one = model(number=[1, 2])
    one.producer_name = 'right'
    expected = digest_of(one, [])
    graph, early = type(one)(graph=one.graph), type(one)(producer_name='wrong')
    one.ClearField('graph')
    # In another order, and one field written twice, of which a reader takes the last: the same message.
    again = type(one).FromString(b''.join(part.SerializeToString() for part in (early, graph, one)))
    assert digest_of(again, []) == expected


def test_of_the_metadata_counts_what_is_read() -> None:
    ours = [('mobileone_mm.a', '1'), ('com.apple.coreml.model.preview.type', 'imageClassifier')]
    digest = digest_of(model(), ours)
    assert digest == digest_of(model(), [('mine', 'x'), *reversed(ours), (KEY, '"0"')])
    wrong = [ours[:1], ours[1:], [*ours, ('mobileone_mm.b', '')], [*ours, ours[0]], [('mobileone_mm.a', '2'), ours[1]]]
    assert digest not in {digest_of(model(), entries) for entries in wrong}
    assert digest != digest_of(model(), ours, {'weights': '0'}) != digest_of(model(), ours, {'weights': '1'})


def test_what_is_not_known_here_is_refused() -> None:
    one = model()
    assert known_copy(one) == one
    field_200 = b'\xc0\x0c\x01'
    graph = onnx.GraphProto.FromString(one.graph.SerializeToString() + field_200)
    one.graph.CopyFrom(graph)
    with pytest.raises(ExportError, match='it has fields that are not known here: it is damaged, or a newer version'):
        known_copy(one)


FORMAT = {'mobileone_mm.format': '3'}


@pytest.mark.parametrize(
    ('metadata', 'message'),
    [
        (FORMAT, r'^metadata: no entry mobileone_mm\.sha256, expected 64 hex digits$'),
        (entry('a' * 64), r'^metadata: no entry mobileone_mm\.format, expected 3; export it again with this version$'),
        ({'mobileone_mm.format': '2'}, r'format is 2, expected 3; export it again with this version$'),
        ({**FORMAT, KEY: json.dumps('a')}, r'sha256 is "a", expected 64 hex digits'),
        (
            {**FORMAT, **entry('b' * 64)},
            r'^it was changed or damaged since its export wrote it \(sha256 a{12}, expected b{12}\); export it again',
        ),
    ],
)
def test_a_file_that_is_not_what_was_written_is_refused(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        require_unchanged(metadata, lambda: 'a' * 64)


@pytest.mark.parametrize('metadata', [{}, {'by': 'someone'}, {**FORMAT, **entry('a' * 64)}])
def test_a_file_that_is_and_one_of_somebody_else_are_taken(metadata: dict[str, str]) -> None:
    require_unchanged(metadata, lambda: 'a' * 64)

"""Every rule of the ONNX contract, broken once, and files that do not say what they are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileone_mm.artifact.card import Card
from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.onnx.file import metadata_of, read_onnx, save_onnx
from mobileone_mm.targets.onnx.target import TARGET, OpenOnnx
from mobileone_mm.tasks.by_name import read_card

Change = Callable[[Any], None]


def check(path: Path) -> Card:
    return TARGET.check(OpenOnnx(path, read_onnx(path)))  # `TARGET.open` would refuse other weights before any rule


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_a_fresh_file_is_sound(form: str, onnx_reports: dict[str, Report]) -> None:
    report = onnx_reports[form]
    assert check(report.artifact) == report.info


def part(parts: Any, name: str) -> Any:
    return next(one for one in parts if one.name == name)


def saying(**changes: Any) -> Change:
    def change(model: Any) -> None:
        card = replace(read_card(metadata_of(model)), **changes)
        onnx.helper.set_model_props(model, card.as_metadata())

    return change


RUNG: dict[str, Any] = {'name': 'graph -> file', 'value': 0.5, 'limit': 0.1, 'unit': 'px', 'note': '', 'psnr_db': None}


def another_opset(model: Any) -> None:
    model.opset_import[0].version = 19


def another_ir_version(model: Any) -> None:
    model.ir_version = 9


def any_height(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = 'height'


def another_input(model: Any) -> None:
    model.graph.input[0].name = 'photo'
    for node in model.graph.node:
        node.input[:] = ['photo' if name == 'image' else name for name in node.input]


def outputs_in_another_order(model: Any) -> None:
    outputs = list(model.graph.output)[::-1]
    del model.graph.output[:]
    model.graph.output.extend(outputs)


def doubles(model: Any) -> None:
    for node in model.graph.node:
        node.output[:] = ['half' if name == 'raw_confidence' else name for name in node.output]
    to_double, back = ('half', 'double', onnx.TensorProto.DOUBLE), ('double', 'raw_confidence', onnx.TensorProto.FLOAT)
    for name, output, kind in (to_double, back):
        model.graph.node.append(onnx.helper.make_node('Cast', [name], [output], name=f'to_{output}', to=kind))


def another_default(model: Any) -> None:
    part(model.graph.initializer, 'iouThreshold').CopyFrom(
        numpy_helper.from_array(np.array(0.5, np.float32), 'iouThreshold')
    )


def no_default(model: Any) -> None:
    model.graph.initializer.remove(part(model.graph.initializer, 'confidenceThreshold'))


def suppression_of_corners(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == 'NonMaxSuppression').attribute[0].i = 0


@pytest.mark.parametrize(
    ('form', 'change', 'message'),
    [
        ('raw', saying(input_size=(64, 96)), 'image has shape 1x3x64x96, the metadata say 1x3x96x64'),
        ('raw', saying(classes=tuple('abcd')), r'raw_confidence has shape \d+x3, the metadata say \d+x4'),
        ('nms', saying(classes=tuple('abcd')), 'confidence has shape boxesx3, the metadata say boxesx4'),
        ('raw', saying(target='iOS16'), "the metadata say target 'iOS16', expected 'ONNX opset 18'"),
        ('raw', saying(precision='float16'), "the metadata say precision 'float16', expected 'float32'"),
        ('nms', saying(weights='int8'), "the metadata say weights 'int8', expected 'float32'"),
        ('raw', saying(parity=(RUNG,)), "check 'graph -> file': 0.5 px, expected 0.1 at most"),
        ('nms', saying(parity=({**RUNG, 'value': None},)), 'none of the 1 checks in the metadata has a value'),
        ('raw', another_opset, r"IR version 8, opsets \{'': 19\}, expected IR version 8, ONNX opset 18"),
        ('raw', another_ir_version, r"IR version 9, opsets \{'': 18\}, expected IR version 8"),
        ('raw', any_height, 'image has shape 1x3xheightx96, the metadata say 1x3x64x96'),
        ('raw', another_input, r"the inputs are \['photo'\], expected \['image'\]"),
        ('raw', outputs_in_another_order, r"the outputs are \['raw_coordinates', 'raw_confidence'\], expected"),
        ('nms', outputs_in_another_order, r"the outputs are \['coordinates', 'confidence'\], expected \['confidence'"),
        ('raw', doubles, r'operation to_double \(Cast\) gives DOUBLE, expected FLOAT'),
        ('nms', another_default, 'iouThreshold has the default 0.5, the metadata say 0.45'),
        ('nms', no_default, 'confidenceThreshold has no default: every caller would have to give it'),
        ('nms', suppression_of_corners, 'the last 17 operations are not the suppression that this version writes'),
    ],
)
def test_what_is_wrong_is_said(
    form: str, change: Change, message: str, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    model = read_onnx(onnx_files[form])
    change(model)
    path = tmp_path / 'changed.onnx'
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=f'^{path}: not a sound ONNX file: .*{message}'):
        check(path)


def test_all_faults_are_said(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = read_onnx(onnx_files['raw'])
    any_height(model)
    another_ir_version(model)
    onnx.save(model, tmp_path / 'changed.onnx')
    with pytest.raises(ExportError, match=r'IR version 9.*; image has shape 1x3xheightx96'):
        check(tmp_path / 'changed.onnx')


def test_a_foreign_file(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    save_onnx(read_onnx(onnx_files['raw']), {'by': 'someone'}, tmp_path / 'foreign.onnx')
    with pytest.raises(ExportError, match=r'not a sound ONNX file: metadata: no entry mobileone_mm.format'):
        check(tmp_path / 'foreign.onnx')


def test_weights_in_another_file_are_refused(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = read_onnx(onnx_files['raw'])
    onnx.save(model, tmp_path / 'split.onnx', save_as_external_data=True, location='weights', size_threshold=0)
    with pytest.raises(ExportError, match=r'split\.onnx: cannot be read .*: it keeps weights in other files'):
        check(tmp_path / 'split.onnx')


def test_a_constant_whose_values_do_not_fill_its_shape(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = read_onnx(onnx_files['nms'])
    part(model.graph.initializer, 'columns').dims[1] = 1
    path = tmp_path / 'cut.onnx'
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=f'^{path}: cannot be read as an ONNX model: .*: constant columns: '):
        check(path)


def test_a_graph_that_onnx_refuses_is_not_saved(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = read_onnx(onnx_files['raw'])
    model.graph.node[0].op_type = 'Guess'
    with pytest.raises(ExportError, match=r'^not a sound ONNX model: .*Guess'):
        save_onnx(model, {}, tmp_path / 'refused.onnx')
    assert not list(tmp_path.iterdir())


def test_metadata_come_back(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    given = {'mobileone_mm.note': 'größer, "quoted"', 'b': ''}
    save_onnx(read_onnx(onnx_files['raw']), given, tmp_path / 'saved.onnx')
    assert metadata_of(read_onnx(tmp_path / 'saved.onnx')) == given
    assert read_card(metadata_of(read_onnx(onnx_files['raw']))).task == 'detection'

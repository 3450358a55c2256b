"""Imports point downwards only; heavy packages are loaded by those who need them; tools are thin."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileone_mm.doctor.report import requirements

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mobileone_mm'
TOOLS = sorted((ROOT / 'tools').glob('*.py'))
TOOL_LINES = 100
MODULE_LINES = 300

# What a module may import of this package, bottom up: nothing may name what stands below it in this table, so there is
# no ring. Everyone may import errors and the version.
ARROWS: dict[str, set[str]] = {
    # leaves
    'errors': set(),
    'atomic': set(),
    'parity': set(),
    'plain': set(),
    'unpickle': set(),
    'download': set(),
    'registry': set(),
    'openmmlab': set(),
    'openmmlab.shipped': set(),
    'openmmlab.own_config': {'openmmlab.shipped'},
    'hosts': {'openmmlab.shipped'},
    'example': {'hosts'},
    'mmcv_ops': set(),
    'threads': set(),
    'trials': set(),
    'cli': {'atomic'},
    'doctor': {'cli', 'trials'},
    # data
    'data_checks': set(),
    'datasets': {'data_checks', 'registry'},
    'toy': {'atomic'},
    'pictures': {'atomic'},
    # the backbone
    'backbones': set(),
    'backbones.variants': set(),
    'backbones.base': set(),
    'backbones.fold': set(),
    'backbones.squeeze_excite': set(),
    'backbones.block': {'backbones.fold', 'backbones.squeeze_excite'},
    'backbones.mobileone': {'backbones.base', 'backbones.block', 'backbones.variants', 'registry'},
    'heads': {'registry'},
    # weight files
    'weight_layouts': set(),
    'weight_keys': {'backbones.variants', 'weight_layouts'},
    'expand': {'backbones.base', 'backbones.block', 'backbones.fold', 'parity'},
    'fit': {'backbones.base', 'weight_keys'},
    'checkpoint': {'atomic', 'backbones.base', 'download', 'expand', 'fit', 'plain', 'unpickle', 'weight_keys'},
    'pretrained': {'backbones.base', 'checkpoint', 'registry'},
    # whole models
    'reparam': {'backbones.block', 'backbones.fold', 'backbones.mobileone', 'parity'},
    'models': {'checkpoint', 'hosts', 'reparam'},
    'fused_file': {'atomic', 'checkpoint', 'example', 'fit', 'hosts', 'parity', 'reparam'},
    # training
    'hooks.unwrap': set(),
    'loops': {'data_checks', 'registry'},
    'hooks.loss': {'loops', 'registry'},
    'hooks.checkpoint': {'plain', 'registry'},
    'hooks.expand': {'expand', 'hooks.unwrap', 'registry'},
    'hooks.fuse': {'checkpoint', 'fused_file', 'hooks.unwrap', 'reparam', 'registry'},
    'hooks': {'hooks.checkpoint', 'hooks.expand', 'hooks.fuse', 'hooks.loss'},
    # export
    'export': set(),
    'export.options': set(),
    'export.probe': {'hosts'},
    'export.coreml': {'atomic'},
    'export.ops': set(),
    'export.features': set(),
    'export.suppress': set(),
    'export.package': {'export.coreml'},
    'export.onnx_file': set(),
    'export.scores': set(),
    'export.metric': {'cli', 'export.scores', 'hosts', 'threads'},
    'export.ladder': {'parity'},
    'export.fingerprint': {'export.ladder'},
    'export.info': {'export.fingerprint'},
    'export.graphs': {'export.info'},
    'export.vision': {'export.coreml', 'export.info', 'export.options'},
    'export.onnx_suppress': {'export.info', 'export.onnx_file'},
    'export.onnx': {'export.graphs', 'export.info', 'export.onnx_file', 'export.onnx_suppress'},
    'export.onnx_contract': {'export.info', 'export.onnx_file', 'export.onnx_suppress'},
    'export.onnx_runtime': {'export.features', 'export.onnx_file', 'export.onnx_suppress'},
    'export.usage': {'export.info', 'export.options'},
    'export.detected': {'export.features', 'export.info', 'export.ladder'},
    'export.layers': set(),
    'export.convert': {'export.coreml', 'export.info', 'export.layers', 'export.options'},
    'export.contract': {
        'checkpoint',
        'export.convert',
        'export.coreml',
        'export.info',
        'export.options',
        'export.package',
    },
    'export.verify': {
        'export.contract',
        'export.info',
        'export.ladder',
        'export.package',
        'export.probe',
        'parity',
        'threads',
    },
    'export.interpret': {
        'export.convert',
        'export.coreml',
        'export.features',
        'export.ops',
        'export.package',
        'export.suppress',
        'threads',
    },
    'export.runtime': {
        'checkpoint',
        'export.coreml',
        'export.features',
        'export.info',
        'export.interpret',
        'export.onnx_file',
        'export.onnx_runtime',
        'export.options',
        'export.package',
    },
    'export.saved': {
        'export.detected',
        'export.features',
        'export.fingerprint',
        'export.graphs',
        'export.info',
        'export.interpret',
        'export.ladder',
        'export.probe',
        'export.runtime',
        'export.suppress',
        'export.verify',
    },
    'export.detections': {
        'export.features',
        'export.info',
        'export.ladder',
        'export.probe',
        'export.runtime',
        'export.suppress',
        'export.verify',
    },
    'export.score': {
        'checkpoint',
        'cli',
        'export.detections',
        'export.graphs',
        'export.info',
        'export.metric',
        'export.options',
        'export.probe',
        'export.runtime',
        'export.scores',
        'hosts',
        'models',
    },
    'export.agreement': {'export.detections'},
    'export.overlay': {'export.agreement', 'export.detections', 'pictures'},
    'export.finders': {
        'export.detections',
        'export.graphs',
        'export.info',
        'export.options',
        'export.probe',
        'export.runtime',
        'hosts',
        'models',
    },
    'export.predictions': {
        'cli',
        'export.agreement',
        'export.detections',
        'export.finders',
        'export.overlay',
        'export.probe',
        'pictures',
    },
    'export.page_parts': set(),
    'export.page': {
        'atomic',
        'export.agreement',
        'export.detections',
        'export.info',
        'export.options',
        'export.overlay',
        'export.page_parts',
        'export.probe',
        'export.usage',
        'pictures',
    },
    'export.report': {'export.info', 'export.ladder', 'export.options', 'export.scores'},
    'export.target': {'export.graphs', 'export.info', 'export.ladder', 'export.options', 'export.probe'},
    'export.target_coreml': {
        'checkpoint',
        'cli',
        'export.convert',
        'export.coreml',
        'export.graphs',
        'export.info',
        'export.ladder',
        'export.options',
        'export.probe',
        'export.saved',
        'export.target',
        'export.verify',
        'export.vision',
    },
    'export.target_onnx': {
        'export.detected',
        'export.features',
        'export.fingerprint',
        'export.graphs',
        'export.info',
        'export.ladder',
        'export.onnx',
        'export.onnx_contract',
        'export.onnx_file',
        'export.onnx_runtime',
        'export.options',
        'export.probe',
        'export.target',
    },
    'export.targets': {
        'export.info',
        'export.ladder',
        'export.options',
        'export.target',
        'export.target_coreml',
        'export.target_onnx',
    },
    'export.run': {
        'atomic',
        'checkpoint',
        'cli',
        'export.agreement',
        'export.detections',
        'export.fingerprint',
        'export.graphs',
        'export.info',
        'export.ladder',
        'export.options',
        'export.package',
        'export.page',
        'export.probe',
        'export.report',
        'export.runtime',
        'export.score',
        'export.scores',
        'export.target',
        'export.targets',
        'export.verify',
        'hosts',
        'models',
        'parity',
        'pictures',
        'reparam',
        'threads',
    },
    'demo': {'cli', 'export.agreement'},
    # the console script
    'commands': set(),
    'commands.init': {'atomic', 'cli', 'openmmlab.own_config'},
    '__main__': {'cli'},
}
EVERYONE = {'', 'errors'}  # '' is the package itself: its version

EVERY_TOOL = {'', 'errors', 'atomic', 'cli'}
DOORS: dict[str, set[str]] = {
    'convert_weights': {'backbones.variants', 'checkpoint', 'weight_keys'},
    'demo': {'demo', 'pictures'},
    'doctor': {'doctor'},
    'evaluate': {'export.score'},
    'export': {'export.ladder', 'export.options', 'export.report', 'export.run'},
    'fuse': {'checkpoint', 'fused_file', 'hosts', 'models'},
    'make_toy_data': {'toy'},
    'predict': {'export.finders', 'export.options', 'export.predictions'},
    'verify': {'export.ladder', 'export.targets'},
}

# Packages that not everyone has installed, and the modules that may name them.
OWNERS: dict[str, set[str]] = {
    'coremltools': {'export.coreml'},
    'mmdet': {'datasets', 'heads', 'export.graphs', 'export.score'},
    'mmseg': set(),
    'mmpretrain': set(),
    'onnx': {'export.onnx_file'},
    'onnxruntime': {'export.onnx_runtime'},
    'onnxscript': {'export.onnx'},
    'supervision': {'pictures'},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob('*.py'))}


def imported(path: Path) -> Iterator[str]:
    """The full names that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def own(path: Path) -> set[str]:
    """The modules of this package that a file imports; '' for the package itself."""
    found = set()
    for name in imported(path):
        first, _, rest = name.partition('.')
        if first == PACKAGE.name:
            found.add(rest if rest in MODULES else rest.rpartition('.')[0])
    return found


def test_the_table_has_every_module_and_no_other() -> None:
    assert sorted(ARROWS) == sorted(set(MODULES) - {''})
    assert sorted(DOORS) == sorted(path.stem for path in TOOLS)


def test_the_table_points_downwards() -> None:
    order = list(ARROWS)
    for name, below in ARROWS.items():
        assert all(order.index(other) < order.index(name) for other in below), f'{name} names what stands above it'


@pytest.mark.parametrize('name', ARROWS)  # not the package itself, whose doors lead everywhere: tests/test_public.py
def test_a_module_imports_what_the_table_allows(name: str) -> None:
    assert own(MODULES[name]) - EVERYONE - {name} <= ARROWS[name]


@pytest.mark.parametrize('path', TOOLS, ids=lambda path: path.stem)
def test_a_tool_goes_through_its_doors(path: Path) -> None:
    assert own(path) - EVERY_TOOL <= DOORS[path.stem]


@pytest.mark.parametrize('path', TOOLS, ids=lambda path: path.stem)
def test_a_tool_is_thin(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= TOOL_LINES


@pytest.mark.parametrize('name', MODULES)
def test_a_module_is_short(name: str) -> None:
    assert len(MODULES[name].read_text().splitlines()) <= MODULE_LINES


@pytest.mark.parametrize('package', OWNERS)
def test_an_optional_package_is_named_by_its_owners_only(package: str) -> None:
    users = {name for name, path in MODULES.items() if any(i.split('.')[0] == package for i in imported(path))}
    assert users <= OWNERS[package]


# Modules whose distribution has another name, and those that come with one of our requirements and are not asked for.
DISTRIBUTION = {'PIL': 'pillow', 'mmcv': 'mmcv-lite', 'mmseg': 'mmsegmentation'}
COMES_WITH = {'cv2': 'mmcv-lite', 'google': 'coremltools', 'matplotlib': 'mmengine', 'pycocotools': 'mmdet'}


def test_whatever_is_imported_is_asked_for() -> None:
    asked = {requirement.name for requirement in requirements()}
    used = {name.split('.')[0] for path in [*MODULES.values(), *TOOLS] for name in imported(path)}
    foreign = used - set(sys.stdlib_module_names) - {PACKAGE.name}
    assert {COMES_WITH.get(name) or DISTRIBUTION.get(name, name) for name in foreign} <= asked


def loaded(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after `code`."""
    code += '\nimport sys; print("\\n".join({name.partition(".")[0] for name in sys.modules}))'
    command = [sys.executable, '-W', 'ignore', '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd='/')
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


HEAVY = {'torch', 'torchvision', 'numpy', 'cv2', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'coremltools'}


@pytest.mark.parametrize(
    'module',
    [
        'mobileone_mm',
        'mobileone_mm.__main__',
        'mobileone_mm.cli',
        'mobileone_mm.doctor.report',
        'mobileone_mm.openmmlab.mmcv_ext',
        'mobileone_mm.openmmlab.own_config',
    ],
)
def test_what_has_to_work_in_a_broken_environment_loads_nothing_heavy(module: str) -> None:
    assert not HEAVY & loaded(f'import {module}')


def test_a_segmenter_needs_no_mmdet_and_no_coremltools() -> None:
    code = """
import sys
sys.modules.update(mmdet=None, coremltools=None)  # makes their import fail
from mmengine.registry import MODELS, init_default_scope
init_default_scope('mmseg')
backbone = {'type': 'mobileone_mm.MobileOne', 'arch': 's0'}
head = {'type': 'FCNHead', 'in_channels': 2048, 'channels': 8, 'num_classes': 3, 'num_convs': 1}
model = MODELS.build({'type': 'EncoderDecoder', 'backbone': backbone, 'decode_head': head})
assert type(model.backbone).__module__ == 'mobileone_mm.models.backbones.mobileone'
"""
    assert 'mmseg' in loaded(code)


def test_the_export_is_imported_without_what_only_some_exports_need() -> None:
    code = """
import sys
sys.modules.update(dict.fromkeys(('mmdet', 'coremltools', 'onnx', 'onnxruntime', 'onnxscript', 'supervision')))
import mobileone_mm.exporter.export  # while each of them fails to be imported
"""
    assert 'torch' in loaded(code)


def test_looking_up_the_backbone_loads_no_host() -> None:
    code = """
from mobileone_mm.registry import MODELS
assert MODELS.get('MobileOne') is not None
"""
    assert not {'mmdet', 'mmseg', 'mmpretrain', 'coremltools'} & loaded(code)


def test_fusing_works_without_coremltools() -> None:
    code = """
import sys
sys.modules['coremltools'] = None  # makes its import fail
import torch
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.reparam import fuse, is_fused
assert is_fused(fuse(MobileOne('s0')))
import mobileone_mm.weights.checkpoint, mobileone_mm.hooks
"""
    assert not {'mmdet', 'mmseg', 'mmpretrain'} & loaded(code)

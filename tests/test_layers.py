"""Imports point downwards only; heavy packages are loaded by those who need them; only cli prints; tools are thin."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from mobileone_mm.doctor.report import requirements

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mobileone_mm'
TOOLS = sorted((ROOT / 'tools').glob('*.py'))
TOOL_LINES = 60
MODULE_LINES = 300

# The package's folders, and modules beside them, from the ground up, and what each may import beside itself and the
# ground: nothing that stands below it in this table.
GROUND = {'errors', 'registry', 'parity', 'rooms', 'locks', 'atomic', 'outputs', 'threads', 'track', 'flags', 'sigint'}
ROOMS: dict[str, set[str]] = {
    'cli': set(),  # alone knows how to print: for the commands, and for what `mobileone train` shows
    'models': set(),
    'reparam': {'models'},
    'weights': {'models'},
    'pictures': set(),
    'pages': {'pictures'},
    'openmmlab': {'weights', 'reparam', 'pictures'},
    'artifact': {'openmmlab', 'pictures'},
    'tasks': {'artifact', 'openmmlab', 'pictures'},
    'targets': {'tasks', 'artifact', 'openmmlab', 'pictures', 'weights'},
    'prediction': {'targets', 'tasks', 'artifact', 'openmmlab', 'pictures', 'reparam', 'weights'},
    'evaluation': {'targets', 'tasks', 'artifact', 'openmmlab', 'pages', 'pictures', 'reparam', 'weights'},
    'exporter': {'evaluation', 'targets', 'tasks', 'artifact', 'openmmlab', 'pages', 'pictures', 'reparam', 'weights'},
    'demo': {'artifact', 'pictures'},
    'datasets': {'openmmlab', 'pictures'},
    'setup': {'datasets', 'models', 'openmmlab', 'pictures'},
    'robustness': {'datasets', 'targets', 'tasks', 'artifact', 'openmmlab', 'pictures', 'reparam'},
    'inspection': {'setup', 'datasets', 'openmmlab', 'pictures'},
    'watching': {'inspection', 'evaluation', 'tasks', 'openmmlab', 'pages', 'pictures'},
    'hooks': {'watching', 'setup', 'openmmlab', 'reparam', 'weights'},
    'training': {'hooks', 'openmmlab', 'weights', 'cli'},
    'doctor': set(),
}
ROOMS['commands'] = set(ROOMS)
# Of `tasks` and `targets`: the same for all of them.
FACES = {
    'by_name',
    'task',
    'judging',
    'ranked',
    'layers',
    'largest_logit',
    'rounding',
    'by_ending',
    'target',
    'artifact',
}
OPTIONS = 'options'  # of a task or a format: known to who offers them

# Packages that not everyone has installed, and who may name them.
OWNERS: dict[str, tuple[str, ...]] = {
    'coremltools': ('targets.coreml.library',),
    'google': ('targets.coreml',),  # protobuf, which comes with coremltools
    'imagecorruptions': ('datasets.corrupt',),
    'mmdet': ('datasets', 'models.heads', 'tasks.detection', 'training.settings'),
    'mmpretrain': ('models.classifiers', 'tasks.classification'),
    'mmseg': ('datasets', 'tasks.segmentation'),
    'onnx': ('targets.onnx.file',),
    'onnxruntime': ('targets.onnx.runner',),
    'onnxscript': ('targets.onnx.convert',),
    'pycocotools': (),
    'sklearn': (),
    'supervision': ('pictures.drawing', 'tasks.detection'),
    'timm': ('models.classifiers.teachers',),
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob('*.py'))}
INSIDE = [name for name in MODULES if name]  # not the package itself, whose doors lead everywhere: tests/test_public.py


def imported(path: Path) -> Iterator[str]:
    """The full names that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def own(path: Path) -> set[str]:
    """The modules of this package that a file imports, without the package itself."""
    found = set()
    for name in imported(path):
        first, _, rest = name.partition('.')
        if first == PACKAGE.name:
            found.add(rest if rest in MODULES else rest.rpartition('.')[0])
    return found - {''}


def room(name: str) -> str:
    """The row of the table that a module belongs to; a `__main__` is a command, wherever it stands."""
    return 'commands' if name.split('.')[-1] == '__main__' else name.partition('.')[0]


def kind(name: str) -> str | None:
    """'detection' of 'tasks.detection.rows', 'coreml' of 'targets.coreml.options'; None outside of both."""
    folder, *rest = name.split('.')
    return rest[0] if folder in ('tasks', 'targets') and rest and rest[0] not in FACES else None


def test_the_table_has_every_room_and_no_other() -> None:
    assert sorted({room(name) for name in INSIDE}) == sorted({*GROUND, *ROOMS})


def test_the_table_points_downwards() -> None:
    rooms = list(ROOMS)
    for name, below in ROOMS.items():
        assert below <= set(rooms[: rooms.index(name)]), f'{name} may import what stands above it'


@pytest.mark.parametrize('name', sorted({*GROUND, *ROOMS}))
def test_a_room_imports_what_the_table_allows(name: str) -> None:
    allowed = {name, *GROUND, *ROOMS.get(name, ())}
    reached = {(module, other) for module in INSIDE if room(module) == name for other in own(MODULES[module])}
    assert {(module, other) for module, other in reached if room(other) not in allowed} == set()


@pytest.mark.parametrize('axis', ['tasks', 'targets'])
def test_only_a_format_knows_what_a_task_is_like_and_nobody_what_a_format_is_like(axis: str) -> None:
    faults = set()
    for module in INSIDE:
        for other in own(MODULES[module]):
            inner = kind(other) if room(other) == axis and not other.endswith(f'.{OPTIONS}') else None
            at_home = room(module) == axis and kind(module) in (inner, None)  # a face looks them up by name
            cell = axis == 'tasks' and room(module) == 'targets' and kind(module) is not None
            if inner is not None and not at_home and not cell:
                faults.add((module, other))
    assert faults == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    arrows = {name: own(MODULES[name]) - {name} for name in INSIDE}
    assert set(TopologicalSorter(arrows).static_order()) >= set(arrows)  # or it raises CycleError, with the circle


@pytest.mark.parametrize('name', [name for name in INSIDE if name not in ('cli', '__main__')])
def test_only_the_command_line_prints(name: str) -> None:  # `__main__` says one word, where `cli` is not there yet
    calls = [node.func for node in ast.walk(ast.parse(MODULES[name].read_text())) if isinstance(node, ast.Call)]
    called = {ast.unparse(call) for call in calls}
    assert called & {'print', 'sys.stdout.write', 'sys.stderr.write', 'sys.__stdout__.write'} == set()


@pytest.mark.parametrize('path', TOOLS, ids=lambda path: path.stem)
def test_a_tool_is_a_thin_door_to_its_command(path: Path) -> None:
    assert {room(name) for name in own(path)} == {'cli', 'commands'}
    assert len(path.read_text().splitlines()) <= TOOL_LINES


@pytest.mark.parametrize('name', MODULES)
def test_a_module_is_short(name: str) -> None:
    assert len(MODULES[name].read_text().splitlines()) <= MODULE_LINES


@pytest.mark.parametrize('package', OWNERS)
def test_an_optional_package_is_named_by_its_owners_only(package: str) -> None:
    users = {name for name, path in MODULES.items() if any(i.split('.')[0] == package for i in imported(path))}
    assert {name for name in users if not f'{name}.'.startswith(tuple(f'{o}.' for o in OWNERS[package]))} == set()


# Modules whose distribution has another name, and those that come with one of our requirements and are not asked for.
DISTRIBUTION = {
    'imagecorruptions': 'imagecorruptions-imaug',
    'PIL': 'pillow',
    'mmcv': 'mmcv-lite',
    'mmseg': 'mmsegmentation',
}
COMES_WITH = {
    'cv2': 'mmcv-lite',
    'google': 'coremltools',
    'huggingface_hub': 'timm',
    'matplotlib': 'mmengine',
    'pycocotools': 'mmdet',
}


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


@pytest.mark.parametrize(('host', 'missing', 'name'), [('mmdet', 'mmseg', 'Coco'), ('mmseg', 'mmdet', 'Mask')])
def test_data_sets_are_found_where_the_other_host_is_missing(host: str, missing: str, name: str) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None  # makes its import fail
from mmengine.registry import DATASETS, init_default_scope
init_default_scope({host!r})
assert DATASETS.get('mobileone_mm.{name}Dataset').__module__.startswith('mobileone_mm.datasets.')
"""
    assert host in loaded(code)


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

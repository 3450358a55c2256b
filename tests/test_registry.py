"""How configs find this package: by scope alone, from every host's scope."""

import subprocess
import sys

import pytest

# mmengine swallows what goes wrong while it imports a registry module: import it by hand first, to see the error.
FIND = """
import mobileone_mm.registry
from mmengine.registry import DATASETS, HOOKS, LOG_PROCESSORS, LOOPS, METRICS, MODELS, TRANSFORMS
from mmengine.registry import init_default_scope
init_default_scope({scope!r})
for registry, name in (
    (MODELS, 'MobileOne'), (HOOKS, 'FuseForTestHook'), (HOOKS, 'StopOnInvalidLoss'),
    (LOOPS, 'EpochBasedTrainLoop'), (LOG_PROCESSORS, 'LogProcessor'), {more}
):
    found = registry.get('mobileone_mm.' + name)
    assert found is not None, name
    assert found.__module__.startswith('mobileone_mm.'), (name, found)
{also}"""
THEIRS = "assert MODELS.get('mmpretrain.MobileOne').__module__ == 'mmpretrain.models.backbones.mobileone'"
CLASSIFICATION = """
    (MODELS, 'DistilledClassifier'), (TRANSFORMS, 'AutoAugment'), (TRANSFORMS, 'Corrupt'),
    (DATASETS, 'ClassFolderDataset')"""
DETECTION = "(MODELS, 'SSDHead'), (DATASETS, 'CocoDataset'), (DATASETS, 'VOCDataset'), (METRICS, 'CocoMetric')"


@pytest.mark.parametrize(
    ('scope', 'more', 'also'),
    [
        ('mmdet', DETECTION, ''),
        ('mmseg', '', ''),
        ('mmpretrain', CLASSIFICATION, THEIRS),  # a host's class of the same name stays the host's
    ],
)
def test_a_host_finds_our_classes_without_custom_imports(scope: str, more: str, also: str) -> None:
    command = [sys.executable, '-W', 'ignore', '-c', FIND.format(scope=scope, more=more, also=also)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd='/')
    assert done.returncode == 0, done.stderr

"""How a config finds this package: `type='mobileone_mm.MobileOne'` in any mm config, without `custom_imports`.

mmengine imports `<scope>.registry` the first time a scope is named, and a registry imports its `locations` on its first
look-up. A location here must not import mmdet, mmseg or mmpretrain on the way (only those of data sets, metrics and
transforms, whose classes are their children, does, and only what is installed): whoever segments need not have mmdet.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

SCOPE = 'mobileone_mm'

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope=SCOPE,
    locations=[
        'mobileone_mm.models.backbones.mobileone',
        'mobileone_mm.models.classifiers.distillation',
        'mobileone_mm.models.heads.ssd_head',
        'mobileone_mm.models.losses.cross_entropy',
    ],
)
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=SCOPE, locations=['mobileone_mm.hooks'])
LOG_PROCESSORS = Registry(
    'log processor',
    parent=MMENGINE_LOG_PROCESSORS,
    scope=SCOPE,
    locations=['mobileone_mm.openmmlab.log_processor'],
)
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope=SCOPE, locations=['mobileone_mm.openmmlab.loops'])
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope=SCOPE,
    locations=['mobileone_mm.datasets.registered', 'mobileone_mm.datasets.class_folders'],
)
METRICS = Registry('metric', parent=MMENGINE_METRICS, scope=SCOPE, locations=['mobileone_mm.datasets.registered'])
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope=SCOPE,
    locations=[
        'mobileone_mm.datasets.registered',
        'mobileone_mm.datasets.auto_augment',
        'mobileone_mm.datasets.corrupt',
        'mobileone_mm.datasets.transforms.one_warp',
    ],
)
WEIGHT_INITIALIZERS = Registry(
    'weight initializer',
    parent=MMENGINE_WEIGHT_INITIALIZERS,
    scope=SCOPE,
    locations=['mobileone_mm.weights.init_cfg'],
)

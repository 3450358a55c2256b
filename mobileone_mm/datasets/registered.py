"""Our data sets, their transforms and a metric, for those of mmdet and mmseg that are installed: nobody needs both."""

from importlib import import_module

OURS = {
    'mmdet': ('mobileone_mm.datasets.coco', 'mobileone_mm.datasets.coco_metric', 'mobileone_mm.datasets.voc'),
    'mmseg': ('mobileone_mm.datasets.masks', 'mobileone_mm.datasets.load_mask'),
}

for host, modules in OURS.items():
    try:
        import_module(host)
    except ImportError:  # a config of it is refused with the reason when its scope is entered
        continue
    for module in modules:
        import_module(module)

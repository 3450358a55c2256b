_base_ = 'runtime.py'
default_scope = 'mmseg'
default_hooks = dict(
    checkpoint=dict(save_best='mIoU'),  # 'auto' would follow the first metric, the pixel accuracy
    visualization=dict(type='SegVisualizationHook'),
)
# The averaged weights are what is tested and kept as the best. CVNets averages BatchNorm's statistics as well.
custom_hooks = [dict(type='EMAHook', momentum=0.0005, update_buffers=True), *_base_.custom_hooks]
visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')

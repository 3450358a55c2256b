_base_ = 'runtime.py'
default_scope = 'mmpretrain'
default_hooks = dict(
    checkpoint=dict(save_best='accuracy/top1'), visualization=dict(type='VisualizationHook', enable=False)
)
# The paper: weights averaged with a decay of 0.9995. BatchNorm's statistics are averaged as well, as mmpretrain has it.
custom_hooks = [dict(type='EMAHook', momentum=0.0005, update_buffers=True), *_base_.custom_hooks]
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')

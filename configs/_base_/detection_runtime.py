_base_ = 'runtime.py'
default_scope = 'mmdet'
default_hooks = dict(visualization=dict(type='DetVisualizationHook'))
custom_hooks = [dict(type='NumClassCheckHook'), dict(type='mobileone_mm.AnchorReachHook'), *_base_.custom_hooks]
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')

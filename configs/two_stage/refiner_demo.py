# A small refiner trained from scratch on the demo's synthetic fields, with classes balanced 1:3.
_base_ = "refiner_r101_tupac.py"

data_root = "demo/data/"
crop_size = 64
batch_size = 32
max_epochs = 16
lr = 1e-3
norm = dict(type="BN", requires_grad=True)

train_pipeline = [
    dict(type="LoadCandidate", size=crop_size),
    _base_.stain,
    dict(type="RotateCandidate", size=crop_size, angles="quarter"),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    _base_.packing,
]
val_pipeline = [dict(type="LoadCandidate", size=crop_size), _base_.stain, _base_.packing]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type="NegativeRatioSampler", negative_ratio=3.0),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=val_pipeline),
)

model = dict(
    crop_size=crop_size,
    input_size=crop_size,
    backbone=dict(depth=18, base_channels=32, norm_cfg=norm, init_cfg=None),
)
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=lr, weight_decay=0.05))
param_scheduler = [
    dict(type="CosineAnnealingLR", by_epoch=True, begin=0, end=max_epochs, eta_min_ratio=0.01)
]
default_hooks = dict(logger=dict(interval=10))

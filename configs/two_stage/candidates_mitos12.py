# The demo's small FCN-8s on the real fields of MITOS12, trained from scratch.
_base_ = "candidates_demo.py"

data_root = "data/mitos12/"
max_iters = 2000
val_interval = 400
warm_up = 50

train_pipeline = [
    dict(type="LoadWindow"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    _base_.stain,
    dict(type="StainAugment", mode="hed", sigma=0.1, shift=0.1, prob=0.8),
    dict(type="RotateWindow"),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="PackDetInputs", meta_keys=(*_base_.meta_keys, "flip", "flip_direction")),
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")

train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
    dict(
        type="CosineAnnealingLR", by_epoch=False, begin=warm_up, end=max_iters, eta_min_ratio=0.01
    ),
]
default_hooks = dict(checkpoint=dict(interval=val_interval))

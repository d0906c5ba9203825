# The demo's small Mask R-CNN on the real fields of MITOS12, trained from scratch: slides A01 and
# A03 for training, A00 for validation, A02 for test.
_base_ = "maskrcnn_r18_demo.py"

data_root = "data/mitos12/"
max_iters = 800
val_interval = 200
warm_up = 50

train_pipeline = [
    dict(type="LoadWindow"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    _base_.stain,
    dict(type="RandomFlip", prob=0.75, direction=["horizontal", "vertical", "diagonal"]),
    dict(type="PackDetInputs", meta_keys=(*_base_.meta_keys, "flip", "flip_direction")),
]
train_dataloader = dict(
    sampler=dict(negative_ratio=0.5),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
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
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=val_interval))

# Trained on one scanner, tested on the other: what the methods of stain normalisation and
# augmentation bring. benchmarks/stain_ablation.py makes the data and sets method and prob.
_base_ = "../maskrcnn_r18_demo.py"

data_root = "data/scanners/"
train_window_size = 256
batch_size = 12
max_iters = 240
val_interval = 60
augment = dict(type="StainAugment", mode="hed", sigma=0.1, shift=0.1, prob=0.0)

train_pipeline = [
    dict(type="LoadWindow"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    _base_.stain,
    augment,
    dict(type="RandomFlip", prob=0.75, direction=["horizontal", "vertical", "diagonal"]),
    dict(type="PackDetInputs", meta_keys=(*_base_.meta_keys, "flip", "flip_direction")),
]
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(data_root=data_root, window_size=train_window_size, pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")

train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.01),
]
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=val_interval))

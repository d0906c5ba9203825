# The demo's small refiner on the real fields of MITOS12, trained from scratch on crops turned by
# any angle.
_base_ = "refiner_demo.py"

data_root = "data/mitos12/"
context_size = 95  # a crop of 64 px needs it to be turned by any angle
max_epochs = 30

train_pipeline = [
    dict(type="LoadCandidate", size=context_size),
    _base_.stain,
    dict(
        type="PhotoMetricDistortion",
        brightness_delta=16,
        contrast_range=(0.85, 1.15),
        saturation_range=(0.85, 1.15),
        hue_delta=6,
    ),
    dict(type="RotateCandidate", size=_base_.crop_size, angles="any"),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    _base_.packing,
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type="CosineAnnealingLR", by_epoch=True, begin=0, end=max_epochs, eta_min_ratio=0.01)
]

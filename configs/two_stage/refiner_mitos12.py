# The demo's small refiner on the real fields of MITOS12, trained from scratch on crops turned by
# any angle.
_base_ = "refiner_demo.py"

data_root = "data/mitos12/"
context_size = 95  # a crop of 64 px needs it to be turned by any angle
max_epochs = 30

train_pipeline = [
    dict(type="LoadCandidate", size=context_size),
    _base_.stain,
    dict(type="StainAugment", mode="hed", sigma=0.1, shift=0.1, prob=0.8),
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

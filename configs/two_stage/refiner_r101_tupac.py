# Stage 2 of the two-stage baseline of Sohail et al., arXiv 2003.08803, section 3.4: ResNet-101 on
# crops around the candidates that tools/mine_candidates.py wrote into data_root. Cross-entropy,
# Adam, lr, weight decay, batch and epochs: the paper, as the ratio of 1:16 that mining keeps, so
# classes are not balanced here. The paper does not give the size of the crops, or the patience.
# With --cfg-options train_dataloader.sampler.type=NegativeRatioSampler they are, 1:1, by a fresh
# draw of negatives every epoch.
_base_ = "../_base_/default_runtime.py"

data_root = "data/tupac16/"
images = dict(img="images/")
crop_size = 80
input_size = 224
batch_size = 12
num_workers = 2
max_epochs = 100
lr = 1e-4
weight_decay = 1e-2
patience = 10
metric = "candidate/ap"

stain = dict(type="StainNormalize", method="macenko")
meta_keys = ("img_id", "img_path", "id", "point", "label", "ori_shape", "img_shape")
packing = dict(type="PackDetInputs", meta_keys=(*meta_keys, "stain_normalized"))
train_pipeline = [
    dict(type="LoadCandidate", size=crop_size),
    stain,
    dict(type="RotateCandidate", size=crop_size, angles="quarter"),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    packing,
]
val_pipeline = [dict(type="LoadCandidate", size=crop_size), stain, packing]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type="DrawSampler"),
    dataset=dict(
        type="CandidateDataset",
        data_root=data_root,
        ann_file="candidates/train.json",
        data_prefix=images,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CandidateDataset",
        data_root=data_root,
        ann_file="candidates/val.json",
        data_prefix=images,
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
val_evaluator = dict(type="CandidateScore")

model = dict(
    type="CandidateRefiner",
    crop_size=crop_size,
    input_size=input_size,
    num_classes=2,
    data_preprocessor=dict(
        type="ImgDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type="ResNet",
        depth=101,
        out_indices=(3,),
        norm_eval=False,
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet101"),
    ),
    loss_cls=dict(type="CrossEntropyLoss"),
)

train_cfg = dict(type="ResumableEpochLoop", max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type="ValLoop")
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="Adam", lr=lr, weight_decay=weight_decay)
)
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=1, save_best=metric))
custom_hooks = [
    {**hook, "monitor": metric, "patience": patience}
    if hook["type"] == "ResumableEarlyStoppingHook"
    else hook
    for hook in _base_.custom_hooks
]
log_processor = dict(by_epoch=True)

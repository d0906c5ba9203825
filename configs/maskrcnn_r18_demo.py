# A small Mask R-CNN trained from scratch on synthetic fields, for `make demo` on two CPU cores.
_base_ = "maskrcnn_r101_tupac.py"

data_root = "demo/data/"
width = 64
norm = dict(type="BN", requires_grad=True)
batch_size = 4
max_iters = 300
val_interval = 75
test_overlap = 0.25

model = dict(
    backbone=dict(depth=18, base_channels=32, frozen_stages=-1, norm_cfg=norm, norm_eval=False),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=width, norm_cfg=norm),
    rpn_head=dict(in_channels=width, feat_channels=width),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=width),
        bbox_head=dict(in_channels=width, fc_out_channels=256),
        mask_roi_extractor=dict(out_channels=width),
        mask_head=dict(in_channels=width, conv_out_channels=width, num_convs=2),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=500, max_per_img=200)),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=100)),
)
train_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(
    batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root, overlap=test_overlap)
)
test_dataloader = dict(
    batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root, overlap=test_overlap)
)
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")

train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.01),
]
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=val_interval))
load_from = None

# DINO, 4 scales, R50 (Zhang et al., 2022). The optimiser is DINO's own.
_base_ = [
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

from mmengine.hub import get_config

model = get_config("mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py").model
model.backbone.init_cfg = None
model.bbox_head.num_classes = 1

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=0.1),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/dino/dino-4scale_r50_8xb2-12e_coco/"
    "dino-4scale_r50_8xb2-12e_coco_20221202_182705-55b2bba2.pth"
)

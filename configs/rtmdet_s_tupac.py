# RTMDet-S (Lyu et al., 2022).
_base_ = [
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

from mmengine.hub import get_config

model = get_config("mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py").model
model.backbone.init_cfg = None
model.bbox_head.num_classes = 1

# Its assigner would take masks for tensors.
train_pipeline = [
    {**step, "with_mask": False} if step["type"] == "LoadAnnotations" else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-4, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/rtmdet/rtmdet_s_8xb32-300e_coco/"
    "rtmdet_s_8xb32-300e_coco_20220905_161602-387a891e.pth"
)

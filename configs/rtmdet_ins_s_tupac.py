# RTMDet-Ins-S (Lyu et al., 2022): boxes and masks in one stage.
_base_ = [
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

from mmengine.hub import get_config

model = get_config("mmdet::rtmdet/rtmdet-ins_s_8xb32-300e_coco.py").model
model.backbone.init_cfg = None
model.bbox_head.num_classes = 1

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-4, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/rtmdet/rtmdet-ins_s_8xb32-300e_coco/"
    "rtmdet-ins_s_8xb32-300e_coco_20221121_212604-fdc5d7ec.pth"
)

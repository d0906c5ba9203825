# ATSS R50-FPN (Zhang et al., 2020).
_base_ = [
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

from mmengine.hub import get_config

model = get_config("mmdet::atss/atss_r50_fpn_1x_coco.py").model
model.backbone.init_cfg = None
model.bbox_head.num_classes = 1

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/atss/atss_r50_fpn_1x_coco/"
    "atss_r50_fpn_1x_coco_20200209-985f7bd0.pth"
)

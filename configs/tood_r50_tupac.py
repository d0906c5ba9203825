# TOOD R50-FPN (Feng et al., 2021). Its first epochs by ATSS's assignment are left out: a run by
# iterations has no epochs.
_base_ = [
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

from mmengine.hub import get_config

model = get_config("mmdet::tood/tood_r50_fpn_1x_coco.py").model
model.backbone.init_cfg = None
model.bbox_head.num_classes = 1
model.train_cfg.initial_epoch = 0

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/tood/tood_r50_fpn_1x_coco/"
    "tood_r50_fpn_1x_coco_20211210_103425-20e20746.pth"
)

# Faster R-CNN R50-FPN (Ren et al., 2015).
_base_ = [
    "mmdet::_base_/models/faster-rcnn_r50_fpn.py",
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

model = dict(backbone=dict(init_cfg=None), roi_head=dict(bbox_head=dict(num_classes=1)))

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r50_fpn_1x_coco/"
    "faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth"
)

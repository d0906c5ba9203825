# Cascade Mask R-CNN R50-FPN (Cai and Vasconcelos, 2019).
_base_ = [
    "mmdet::_base_/models/cascade-mask-rcnn_r50_fpn.py",
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

# A list replaces the base's: the three stages are taken over, each with its classes.
model = dict(
    backbone=dict(init_cfg=None),
    roi_head=dict(
        bbox_head=[{**stage, "num_classes": 1} for stage in _base_.model.roi_head.bbox_head],
        mask_head=dict(num_classes=1),
    ),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/cascade_rcnn/"
    "cascade_mask_rcnn_r50_fpn_1x_coco/cascade_mask_rcnn_r50_fpn_1x_coco_20200203-9d4dcb24.pth"
)

# Mask R-CNN R101-FPN of Sohail et al., arXiv 2003.08803, on TUPAC16. Class-dependent layers apart,
# it starts from the published COCO weights, which hold the backbone too.
_base_ = [
    "_base_/models/mask_rcnn_r101_fpn.py",
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r101_fpn_1x_coco/"
    "mask_rcnn_r101_fpn_1x_coco_20200204-1efe0ed5.pth"
)

# RetinaNet R50-FPN (Lin et al., 2017): focal loss.
_base_ = [
    "mmdet::_base_/models/retinanet_r50_fpn.py",
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

model = dict(backbone=dict(init_cfg=None), bbox_head=dict(num_classes=1))

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/retinanet/retinanet_r50_fpn_1x_coco/"
    "retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth"
)

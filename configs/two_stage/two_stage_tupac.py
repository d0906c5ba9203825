# The two stages joined, for testing: tools/join_stages.py makes its checkpoint of those that
# candidates_fcn_vgg16_tupac.py and refiner_r101_tupac.py trained.
_base_ = "candidates_fcn_vgg16_tupac.py"

crop_size = 80
input_size = 224

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=dict(
        type="CandidateRefiner",
        crop_size=crop_size,
        input_size=input_size,
        num_classes=2,
        data_preprocessor=dict(
            type="ImgDataPreprocessor",
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        backbone=dict(
            type="ResNet",
            depth=101,
            out_indices=(3,),
            norm_eval=False,
            init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet101"),
        ),
        loss_cls=dict(type="CrossEntropyLoss"),
    ),
    refine_batch_size=64,
)
# Joined, what counts is the F-score again.
val_evaluator = dict(min_recall=None)

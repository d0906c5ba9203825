# The two stages of candidates_demo.py and refiner_demo.py joined, for testing.
_base_ = "candidates_demo.py"

crop_size = 64

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=dict(
        type="CandidateRefiner",
        crop_size=crop_size,
        input_size=crop_size,
        num_classes=2,
        data_preprocessor=dict(
            type="ImgDataPreprocessor",
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        backbone=dict(
            type="ResNet",
            depth=18,
            base_channels=32,
            out_indices=(3,),
            norm_cfg=dict(type="BN", requires_grad=True),
            norm_eval=False,
            init_cfg=None,
        ),
        loss_cls=dict(type="CrossEntropyLoss"),
    ),
    refine_batch_size=64,
)
val_evaluator = dict(min_recall=None)

# Fields of data_prep/prepare.py, in windows. A child sets its own data_root with every dict that
# names it; see maskrcnn_r18_mitos12.py.
data_root = "data/tupac16/"
annotations = "annotations/"
images = dict(img="images/")
window_size = 512
overlap = 0.6
batch_size = 2
num_workers = 2

stain = dict(type="StainNormalize", method="macenko")
meta_keys = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "scale_factor",
    "window_xyxy",
    "stain_normalized",
)

train_pipeline = [
    dict(type="LoadWindow"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    stain,
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="PackDetInputs", meta_keys=(*meta_keys, "flip", "flip_direction")),
]
test_pipeline = [
    dict(type="LoadWindow"),
    stain,
    dict(type="PackDetInputs", meta_keys=meta_keys),
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type="NegativeRatioSampler", negative_ratio=1.0),
    dataset=dict(
        type="MitosisDataset",
        data_root=data_root,
        ann_file=annotations + "train.json",
        data_prefix=images,
        window_size=window_size,
        overlap=overlap,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="MitosisDataset",
        data_root=data_root,
        ann_file=annotations + "val.json",
        data_prefix=images,
        window_size=window_size,
        overlap=overlap,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="MitosisDataset",
        data_root=data_root,
        ann_file=annotations + "test.json",
        data_prefix=images,
        window_size=window_size,
        overlap=overlap,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

# Validation chooses the threshold; a test reads it from the checkpoint.
val_evaluator = dict(
    type="CentroidFScore", ann_file=data_root + annotations + "val.json", threshold="choose"
)
test_evaluator = dict(type="CentroidFScore", ann_file=data_root + annotations + "test.json")

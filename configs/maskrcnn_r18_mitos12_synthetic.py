# The same, trained on circles and ellipses drawn from the centroids instead of the real outlines:
# prepare.py mitos12 ROOT --shape mixed --out data/mitos12_synthetic
_base_ = "maskrcnn_r18_mitos12.py"

data_root = "data/mitos12_synthetic/"
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")

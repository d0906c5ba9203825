# The two stages of candidates_mitos12.py and refiner_mitos12.py joined, for testing.
_base_ = "two_stage_demo.py"

data_root = "data/mitos12/"
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")

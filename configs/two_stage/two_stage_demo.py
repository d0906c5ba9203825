# The two stages of candidates_demo.py and refiner_demo.py joined, for testing.
_base_ = "candidates_demo.py"

from mmengine import config

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/refiner_demo.py").model,
    refine_batch_size=64,
)
val_evaluator = dict(min_recall=None)

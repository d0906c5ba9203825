# The two stages of candidates_mitos12.py and refiner_mitos12.py joined, for testing.
_base_ = "candidates_mitos12.py"

from mmengine import config

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/refiner_mitos12.py").model,
    refine_batch_size=64,
)
val_evaluator = dict(min_recall=None)

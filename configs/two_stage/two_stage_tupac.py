# The two stages joined, for testing: tools/join_stages.py makes its checkpoint of those that
# candidates_fcn_vgg16_tupac.py and refiner_r101_tupac.py trained.
_base_ = "candidates_fcn_vgg16_tupac.py"

from mmengine import config

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/refiner_r101_tupac.py").model,
    refine_batch_size=64,
)
# Joined, what counts is the F-score again.
val_evaluator = dict(min_recall=None)

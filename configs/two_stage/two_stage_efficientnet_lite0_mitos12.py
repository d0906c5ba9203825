# ../fcn_efficientnet_lite0_mitos12.py and refiner_efficientnet_lite0_mitos12.py joined, to test.
_base_ = "../fcn_efficientnet_lite0_mitos12.py"

from mmengine import config

# Of stage 1, whose figures in README.md were measured before 400 were found to do.
max_iters = 600
train_cfg = dict(max_iters=max_iters)

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/refiner_efficientnet_lite0_mitos12.py").model,
    refine_batch_size=64,
)

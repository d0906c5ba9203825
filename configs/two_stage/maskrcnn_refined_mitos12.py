# The small Mask R-CNN of maskrcnn_r18_mitos12.py with refiner_mitos12.py behind it, for testing.
_base_ = "../maskrcnn_r18_mitos12.py"

from mmengine import config

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/refiner_mitos12.py").model,
    refine_batch_size=64,
)

# The small Mask R-CNN of maskrcnn_r18_demo.py with refiner_demo.py behind it, for testing.
_base_ = "../maskrcnn_r18_demo.py"

from mmengine import config

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/refiner_demo.py").model,
    refine_batch_size=64,
)

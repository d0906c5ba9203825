# The paper's detector with stage 2 of its two-stage baseline behind it, for testing: candidates
# are the detections of maskrcnn_r101_tupac.py, and configs/two_stage/refiner_r101_tupac.py judges
# them. configs/two_stage/README.md has the commands.
_base_ = "maskrcnn_r101_tupac.py"

from mmengine import config

model = dict(
    _delete_=True,
    type="TwoStageMitosisDetector",
    candidates=_base_.model,
    refiner=config.Config.fromfile("{{ fileDirname }}/two_stage/refiner_r101_tupac.py").model,
    refine_batch_size=64,
)

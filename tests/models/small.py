"""Small two-stage models, and windows for them."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

NORMALIZE = {
    "type": "DetDataPreprocessor",
    "mean": [120.0, 110.0, 100.0],
    "std": [60.0, 58.0, 57.0],
    "bgr_to_rgb": True,
}


def candidate_config(**changes) -> ConfigDict:
    """A stage 1 of a few channels, from scratch."""
    channels, fc = [4, 4, 6, 8, 8], 12
    return ConfigDict(
        type="CandidateDetector",
        data_preprocessor=NORMALIZE,
        backbone={
            "type": "VGG16FCN",
            "channels": channels,
            "fc_channels": fc,
            "norm_cfg": {"type": "BN"},
        },
        head={"type": "FCN8sHead", "in_channels": [*channels[2:4], fc]},
        loss_pixel={"type": "CrossEntropyLoss", "use_sigmoid": True, "class_weight": [5.0]},
        loss_region={"type": "DiceLoss", "naive_dice": True},
        **changes,
    )


def refiner_config(**changes) -> ConfigDict:
    """A stage 2 of a few channels, from scratch."""
    return ConfigDict(
        type="CandidateRefiner",
        backbone={
            "type": "ResNet",
            "depth": 18,
            "base_channels": 8,
            "num_stages": 2,
            "strides": (1, 2),
            "dilations": (1, 1),
            "out_indices": (1,),
            "norm_cfg": {"type": "BN"},
        },
        in_channels=16,
        crop_size=24,
        data_preprocessor={
            "type": "ImgDataPreprocessor",
            "mean": [120.0, 110.0, 100.0],
            "std": [60.0, 58.0, 57.0],
            "bgr_to_rgb": True,
        },
        **changes,
    )


def square(x: int, y: int, side: int, height: int, width: int) -> np.ndarray:
    """A mask of a square, (height, width)."""
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


def sample(masks=(), shape=(64, 64), labels=None, polygons: bool = False, **meta) -> DetDataSample:
    """A window of some (height, width) and its objects."""
    height, width = shape
    if polygons:
        objects = PolygonMasks([[p] for p in masks], height, width)
    else:
        objects = BitmapMasks(list(masks), height, width)
    instances = InstanceData(
        labels=torch.zeros(len(masks), dtype=torch.long) if labels is None else labels,
        masks=objects,
        bboxes=torch.zeros(len(masks), 4),
    )
    metainfo = {"img_shape": shape, "ori_shape": shape, "scale_factor": (1.0, 1.0), **meta}
    return DetDataSample(metainfo=metainfo, gt_instances=instances)


def image(seed: int, shape=(64, 64)) -> torch.Tensor:
    """A window of random grey levels, (3, height, width) uint8."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, *shape), generator=generator, dtype=torch.uint8)

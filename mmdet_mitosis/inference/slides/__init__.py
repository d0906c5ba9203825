"""Opening slides and plain images, and reading windows of them at any resolution."""

from mmdet_mitosis.inference.slides.opening import open_slide
from mmdet_mitosis.inference.slides.slide import Slide

__all__ = ["Slide", "open_slide"]

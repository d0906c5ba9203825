"""What an older installation has not: tests that need it are skipped there, with the reason."""

import pytest
import torch
from torch.torch_version import TorchVersion

from mmdet_mitosis import compat

needs_safe_loading = pytest.mark.skipif(
    not compat.loads_safely(), reason=f"torch {torch.__version__} cannot load safely"
)
needs_torchvision_operators = pytest.mark.skipif(
    compat.install() == compat.COMPILED,
    reason="compiled mmcv answers; what stands in for it is not used",
)
needs_half_precision = pytest.mark.skipif(
    TorchVersion(torch.__version__) < (2, 4), reason="torch before 2.4 has no float16 on CPUs"
)

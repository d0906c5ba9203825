"""The GPU, and why torch sees none."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings

from .check import NOTE, Check, numbers


def check_gpu() -> Check:
    """Examine whether torch sees a GPU, and why not."""
    import torch

    driver = driver_cuda()
    built = torch.version.cuda or torch.version.hip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = torch.cuda.is_available()
    if seen:
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        names = ", ".join(f"{card.name} {card.total_memory / 2**30:.0f} GiB" for card in cards)
        return Check("GPU", f"{names}; torch is built for {built}, the driver for {driver}")
    return Check("GPU", "none seen: training runs on the CPU, slowly", NOTE, no_gpu(built, driver))


def no_gpu(built: str | None, driver: str | None) -> str:
    """Tell why torch sees no GPU.

    Args:
        built: The CUDA that torch is built for; None for none.
        driver: The newest CUDA that the driver knows; None without a driver.

    Returns:
        Why, and what to do if there is one.
    """
    if built is None:
        return "this torch is built without CUDA: to use a GPU, install one that is built with it"
    if driver is None:
        return "no NVIDIA driver is found: to use a GPU, install its driver"
    if numbers(driver)[0] < numbers(built)[0]:
        return (
            f"the driver knows CUDA up to {driver} and torch is built for {built}: update the "
            "driver, or install a torch built for an older CUDA"
        )
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return f"CUDA_VISIBLE_DEVICES is {os.environ['CUDA_VISIBLE_DEVICES']!r}: unset it"
    return "a driver is there and torch finds no GPU behind it: see what nvidia-smi says"


def driver_cuda() -> str | None:
    """Give the newest CUDA that the NVIDIA driver knows.

    Returns:
        Such as ``13.0``; None without a driver.
    """
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    version = ctypes.c_int()
    if library.cuDriverGetVersion(ctypes.byref(version)) or not version.value:
        return None
    return f"{version.value // 1000}.{version.value % 1000 // 10}"

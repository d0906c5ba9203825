"""Python, and the packages that training needs."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

from .check import NOTE, OK, STOP, Check, installed, numbers, why_not


class Package(NamedTuple):
    """A package that training needs: its module, the versions that do, and how to get one."""

    name: str
    module: str
    low: str
    high: str
    advice: str


PACKAGES = (
    Package("torch", "torch", "2.1", "3", "pip install -c constraints.txt torch torchvision"),
    Package(
        "torchvision",
        "torchvision",
        "0.16",
        "1",
        "install the torchvision that belongs to this torch, both from the same index: "
        "pip install -c constraints.txt torch torchvision",
    ),
    Package("numpy", "numpy", "1.26", "3", "pip install -c constraints.txt numpy"),
    Package("mmengine", "mmengine", "0.10.7", "1", "pip install mmengine==0.10.7"),
)
MMDET = Package("mmdet", "mmdet", "3.3", "3.4", "pip install mmdet==3.3.0")
MMCV = Package("mmcv", "mmcv", "2.0", "2.2", "pip install mmcv-lite==2.1.0")
MMCV_NAMES = ("mmcv", "mmcv-lite", "mmcv-full", "onedl-mmcv")
OPENCV_NAMES = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def check_python() -> Check:
    """Examine the interpreter."""
    found = f"{sys.version.split()[0]} ({sys.executable})"
    advice = "use Python 3.11 or 3.12: make setup PYTHON=python3.11"
    version = sys.version_info[:2]
    if version < (3, 11):
        return Check("Python", found, STOP, advice)
    if version >= (3, 13):
        return Check("Python", found, NOTE, f"the pinned packages are not tried with it; {advice}")
    return Check("Python", found)


def check_setuptools() -> Check:
    """Examine what MMEngine imports ``pkg_resources`` from."""
    version = installed("setuptools")
    advice = "MMEngine needs its pkg_resources: pip install 'setuptools<81'"
    if importlib.util.find_spec("pkg_resources") is None:
        return Check("setuptools", version or "not installed", STOP, advice)
    if version and numbers(version) >= (81,):
        return Check("setuptools", version, NOTE, advice)
    return Check("setuptools", version or "unknown version")


def check_package(package: Package, names: Iterable[str] = ()) -> Check:
    """Examine a package.

    Args:
        package: The package.
        names: The distributions that bring it; its own name by default.

    Returns:
        The check: a stop if it is missing, of another version, or does not import.
    """
    found = {name: version for name in names or [package.name] if (version := installed(name))}
    if not found:
        return Check(package.name, "not installed", STOP, package.advice)
    told = ", ".join(f"{name} {version}" if names else version for name, version in found.items())
    for version in found.values():
        if not numbers(package.low) <= numbers(version) < numbers(package.high):
            wanted = f"{package.low} or later and below {package.high} is needed"
            return Check(package.name, told, STOP, f"{wanted}: {package.advice}")
    reason = why_not(lambda: importlib.import_module(package.module))
    absent = re.search(r"No module named '(\w+)", reason)
    if absent and absent[1] != package.module:
        return Check(package.name, told, STOP, f"it needs {absent[1]}, which is not installed")
    if reason:
        return Check(package.name, told, STOP, f"it does not import ({reason}): {package.advice}")
    return Check(package.name, told)


def check_opencv() -> Check:
    """Examine OpenCV, whose distributions write over one another."""
    install = "pip install -c constraints.txt opencv-python-headless"
    clean = f"pip uninstall -y {' '.join(OPENCV_NAMES)}, then {install}"
    check = check_package(Package("opencv", "cv2", "4.8", "6", clean), OPENCV_NAMES)
    if check.found == "not installed":
        return check._replace(advice=install)
    if check.state == OK and "," in check.found:
        return check._replace(state=NOTE, advice=f"they write over one another: {clean}")
    return check


def check_mmcv() -> Check:
    """Examine mmcv, compiled or lite."""
    check = check_package(MMCV, MMCV_NAMES)
    if check.state == OK and "," in check.found:
        advice = "they write over one another: uninstall them all, then install one"
        return check._replace(state=NOTE, advice=advice)
    return check

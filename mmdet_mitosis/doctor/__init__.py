"""Examining an installation.

Nothing outside Python itself is imported until a check needs it, and by relative imports alone, so
that this package loads without its parent, which imports what is examined here.
"""

from __future__ import annotations

from collections.abc import Iterable

from .check import NOTE, OK, SKIPPED, STOP, Check, attempt
from .gpu import check_gpu
from .packages import (
    MMDET,
    PACKAGES,
    check_mmcv,
    check_opencv,
    check_package,
    check_python,
    check_setuptools,
)
from .trials import check_by_running, check_loading, check_operators, check_project

__all__ = ["NOTE", "OK", "SKIPPED", "STOP", "Check", "examine", "render"]

TRIALS = {
    "mmdet-mitosis": check_project,
    "operators": check_operators,
    "safe loading": check_loading,
    "self test": check_by_running,
}


def examine() -> list[Check]:
    """Examine the Python that runs, what is installed in it, and whether it works together.

    Returns:
        One check for each, in the order to read them.
    """
    checks = [check_python(), check_setuptools()]
    checks += [check_package(package) for package in PACKAGES]
    checks += [check_opencv(), check_mmcv(), check_package(MMDET)]
    if any(check.name == "torch" and check.state == STOP for check in checks):
        checks.append(Check("GPU", "not tried without torch", SKIPPED))
    else:
        checks.append(attempt("GPU", check_gpu))
    for name, trial in TRIALS.items():
        stopped = any(check.state == STOP for check in checks)
        skipped = Check(name, "not tried, see above", SKIPPED)
        checks.append(skipped if stopped else attempt(name, trial))
    return checks


def render(checks: Iterable[Check]) -> str:
    """Write a table, and below it what to do.

    Args:
        checks: The checks.

    Returns:
        The text, of several lines.
    """
    checks = list(checks)
    width = max(len(check.name) for check in checks)
    lines = [f"{check.state:4}  {check.name:{width}}  {check.found}" for check in checks]
    todo = [check for check in checks if check.advice]
    if todo:
        lines += ["", "What to do:"]
        lines += [f"  {check.name}: {check.advice}" for check in todo]
    stops = [check.name for check in checks if check.state == STOP]
    verdict = f"cannot train: {', '.join(stops)}" if stops else "can train"
    return "\n".join([*lines, "", f"This installation {verdict}."])

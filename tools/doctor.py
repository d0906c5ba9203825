"""Say what is installed, and what to do about what hinders training: python tools/doctor.py."""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="doctor.py", description=__doc__, epilog="The status is 1 if training cannot start."
    )
    return parser.parse_args()


def load(name: str) -> types.ModuleType:
    """Load a part of mmdet_mitosis without the whole, which imports what is examined here."""
    folder = Path(__file__).resolve().parents[1] / "mmdet_mitosis"
    spec = importlib.machinery.PathFinder.find_spec(name, [str(folder)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parse_args()
    doctor = load("doctor")
    checks = doctor.examine()
    print(doctor.render(checks))
    return int(any(check.state == doctor.STOP for check in checks))


if __name__ == "__main__":
    load("cli").run_main(main, "doctor.py")

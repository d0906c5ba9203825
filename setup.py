"""Packaging: ``mmdet_mitosis`` alone is installed; the commands are used from a checkout."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"', (HERE / "mmdet_mitosis/__init__.py").read_text(), re.MULTILINE
).group(1)

setup(
    name="mmdet-mitosis",
    version=VERSION,
    description="Mitosis detection in H&E slides with MMDetection 3.x",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The mmdet-mitosis authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
    ],
    keywords="mitosis detection histopathology pathology H&E MMDetection Mask R-CNN TUPAC16",
    packages=find_packages(include=["mmdet_mitosis", "mmdet_mitosis.*"]),
    package_data={"mmdet_mitosis.report": ["page.html.j2", "page.css", "page.js"]},
    python_requires=">=3.11,<3.13",
    install_requires=[
        "torch>=2.1",
        "torchvision>=0.16",
        "mmengine>=0.10.7",
        "mmdet>=3.3.0,<3.4",
        "numpy>=1.26",
        "scipy>=1.11",
        "shapely>=2.0",
        "pycocotools>=2.0.7",
        "opencv-python-headless>=4.8",
        "tifffile>=2023.7",
        "imagecodecs>=2023.7",
        "pillow>=10.0",
        "scikit-image>=0.22",
        "matplotlib>=3.8",
        "jinja2>=3.1",
        "tiffslide>=3.0",
        "tqdm>=4.65",
        "terminaltables>=3.1",
        "setuptools<81",
    ],
    extras_require={
        "lite": ["mmcv-lite>=2.1.0,<2.2"],
        "compiled": ["mmcv>=2.0.0,<2.2"],
        "dev": [
            "pytest>=8.0",
            "ruff>=0.6",
            "pyarrow>=14",
            "hypothesis>=6.100",
            "selenium>=4.20",
            "pytest-xdist>=3.8",
            "tensorboard>=2.14",
            "timm>=1.0",
        ],
        "timm": ["timm>=1.0"],
        "table": ["pyarrow>=14"],
        "openslide": ["openslide-python>=1.3", "openslide-bin>=4.0"],
    },
)

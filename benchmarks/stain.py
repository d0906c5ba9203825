"""How long stain normalisation takes, and what memory, beside torchstain and tiatoolbox.

python benchmarks/stain.py [IMAGE] [--peer-python PYTHON]

On 2000 x 2000 pixels: the image given, or a synthetic field, tiled up. "Estimate and apply" is what
normalising an image takes whose stains are not known; the target is, here and with the peers. Times
are medians without imports, and in brackets the fastest, which is the better measure on a machine
that is not at rest. Peers run in their own interpreter, with the image in memory in the form they
want; tiatoolbox runs once. Memory is the greatest growth of the process, result included, over the
size of the image; it is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.synthetic.field import paint_field
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.stain import NORMALIZERS

SIDE, PAINTED_PX, WINDOW, N_WINDOWS = 2000, 1000, 512, 50
TIMED = """
import sys, time
import numpy as np
image, repeats = np.load(sys.argv[1]), int(sys.argv[2])
corner = image[:512, :512].copy()
{}
seconds = []
for _ in range(repeats):
    start = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - start)
print("seconds", *seconds)
"""
TORCH = """
import torch
def to_tensor(rgb):
    return torch.from_numpy(rgb.transpose(2, 0, 1).astype(np.float32))
tensor = to_tensor(image)
"""
PEERS = {
    "macenko": {
        "torchstain, NumPy": """
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer
peer = NumpyMacenkoNormalizer()
step = lambda: peer.normalize(image, stains=False)
""",
        "torchstain, PyTorch": TORCH
        + """
from torchstain.torch.normalizers import TorchMacenkoNormalizer
peer = TorchMacenkoNormalizer()
step = lambda: peer.normalize(tensor, stains=False)
""",
    },
    "reinhard": {
        "torchstain, NumPy": """
from torchstain.numpy.normalizers import NumpyReinhardNormalizer
peer = NumpyReinhardNormalizer()
peer.fit(corner)
step = lambda: peer.normalize(image)
""",
        "torchstain, PyTorch": TORCH
        + """
from torchstain.torch.normalizers import TorchReinhardNormalizer
peer = TorchReinhardNormalizer()
peer.fit(to_tensor(corner))
step = lambda: peer.normalize(tensor)
""",
    },
    "vahadane": {
        "tiatoolbox": """
from tiatoolbox.tools.stainnorm import VahadaneNormalizer
peer = VahadaneNormalizer()
peer.fit(corner)
step = lambda: peer.transform(image)
"""
    },
}
"""What each peer does in the place of our estimate and application."""
SLOW_PEERS = {"tiatoolbox": 1}
"""Peers that are timed less often than the rest."""
MEMORY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from mmdet_mitosis.stain import NORMALIZERS
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))
image, normalizer = np.load(sys.argv[2]), NORMALIZERS[sys.argv[3]]()
normalizer.normalize(image[:128, :128])
Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is used
before = status("VmRSS")
normalizer.normalize(image)
print((status("VmHWM") - before) / image.nbytes)
"""
Row = list[str]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="stain.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path, nargs="?", help="an image of H&E")
    parser.add_argument("--repeats", type=int, default=9, help="of each step (default: 9)")
    parser.add_argument(
        "--peer-python", metavar="PYTHON", help="an interpreter that has torchstain and tiatoolbox"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.repeats < 1:
        raise ValueError(f"--repeats must be at least 1, got {args.repeats}")
    image = large_image(args.image)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, image)
        rows = [["what", "time", "MPixel/s", "memory", "peer", "takes", "times as long"]]
        for method in NORMALIZERS:
            rows += whole_image(method, image, path, args.repeats, args.peer_python)
        print(AsciiTable(rows).table)
    rows = [[f"one window of {WINDOW} x {WINDOW}, its field's fit known", "time"]]
    rows += [window(method, image) for method in NORMALIZERS]
    print(AsciiTable(rows).table)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end")


def large_image(path: Path | None) -> np.ndarray:
    """Read an image, or paint one, and tile it up."""
    threads = cv2.getNumThreads()
    tile = paint_field(0, 24, 1, PAINTED_PX).image_rgb if path is None else decode_field(path)
    cv2.setNumThreads(threads)  # painting holds it to one
    repeats = -(-SIDE // tile.shape[0]), -(-SIDE // tile.shape[1]), 1
    return np.ascontiguousarray(np.tile(tile, repeats)[:SIDE, :SIDE])


def whole_image(
    method: str, image: np.ndarray, path: Path, repeats: int, peer_python: str | None
) -> list[Row]:
    """Time a method on the whole image, and its peers."""
    normalizer = NORMALIZERS[method]()
    fit = normalizer.estimate(image)
    if fit is None:
        raise ValueError("the image shows too little tissue for an estimate of its stains")
    both = timed(lambda: normalizer.normalize(image), repeats)
    alone = timed(lambda: normalizer.normalize(image, fit), repeats)
    ours = [*_ours(f"{method}: estimate and apply", both, image), memory(method, path)]
    rows = []
    for peer, program in PEERS[method].items():
        rows.append([*ours, peer, *peer_cells(peer, program, path, repeats, peer_python, both)])
        ours = ["", "", "", ""]
    return [*rows, [*_ours(f"{method}: apply", alone, image), "", "", "", ""]]


def _ours(what: str, seconds: list[float], image: np.ndarray) -> Row:
    """Say what was timed here, how long it takes and how fast that is."""
    pixels = image.shape[0] * image.shape[1]
    return [what, _ms(seconds), f"{pixels / 1e6 / statistics.median(seconds):.0f}"]


def peer_cells(
    peer: str,
    program: str,
    path: Path,
    repeats: int,
    python: str | None,
    ours: list[float],
) -> Row:
    """Time a peer, and compare its median with ours."""
    if python is None:
        return ["no --peer-python", ""]
    command = [python, "-c", TIMED.format(program), str(path), str(SLOW_PEERS.get(peer, repeats))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return [f"failed: {done.stderr.strip().splitlines()[-1][:60]}", ""]
    seconds = [float(word) for word in done.stdout.rsplit("seconds", 1)[1].split()]
    ratios = [of(seconds) / of(ours) for of in (statistics.median, min)]
    return [_ms(seconds), "{:.1f} ({:.1f})".format(*ratios)]


def memory(method: str, path: Path) -> str:
    """Measure how much a process grows, in images."""
    command = [sys.executable, "-c", MEMORY, sys.path[0], str(path), method]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"{float(done.stdout):.1f} images" if done.returncode == 0 else "not measured"


def window(method: str, image: np.ndarray) -> Row:
    """Time windows at random places."""
    normalizer = NORMALIZERS[method]()
    fit = normalizer.estimate(image)
    corners = iter(np.random.default_rng(0).integers(0, SIDE - WINDOW, (N_WINDOWS + 1, 2)).tolist())

    def step() -> None:
        x, y = next(corners)
        normalizer.normalize(image[y : y + WINDOW, x : x + WINDOW], fit)

    step()
    return [method, _ms(timed(step, N_WINDOWS))]


def timed(step: Callable[[], object], repeats: int) -> list[float]:
    """Run a step some times; give what each took, in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def _ms(seconds: list[float]) -> str:
    """Write the median, and the fastest."""
    median, fastest = 1000 * statistics.median(seconds), 1000 * min(seconds)
    return f"{median:.1f} ms ({fastest:.1f})"


if __name__ == "__main__":
    run_main(main, "stain.py")

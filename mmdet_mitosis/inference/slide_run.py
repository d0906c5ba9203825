"""A detector's way over one slide."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from mmdet_mitosis.cli import printable
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.windows import WindowDetections
from mmdet_mitosis.geometry.windows import halo_px
from mmdet_mitosis.inference.found import Found
from mmdet_mitosis.inference.prefetch import work_ahead
from mmdet_mitosis.inference.records import SlideResult
from mmdet_mitosis.inference.slides import Slide
from mmdet_mitosis.inference.tiling import Tiles, merge_tiles, plan_tiles
from mmdet_mitosis.inference.tissue import slide_tissue, tissue_share
from mmdet_mitosis.stain import Fit

if TYPE_CHECKING:
    from mmdet_mitosis.inference.detector import MitosisDetector

SAME_MPP = 0.05
"""An image whose resolution differs from the model's by less than this share stays as it is."""
FIT_PX = 8192
"""Up to this side the stains are estimated on the whole image, as in training; beyond, on parts."""
FIT_SHARE = 0.5
"""Share of stained pixels that an image must have for that, and a part to be taken: the
percentiles of concentrations, over all pixels, would fall with glass."""
FIT_PARTS, FIT_TRIES = 64, 256
"""Windows that an estimate is made from, and that are looked at for it at most."""
FIT_STEP = 4
"""Of so many pixels, along each axis, one is looked at to tell tissue from glass."""
CHUNK = 128
"""Windows whose detections are kept together, so that an interrupted run goes on after them."""


class SlideRun:
    """A detector's way over one slide.

    Args:
        detector: The detector.
        slide: The slide, open.
        name: Names the slide in what is written.
        case: Its case; by default the name.
        keep_in: Folder for the detections of parts of the slide, so that another run goes on
            after them; it must be of this slide, detector and settings alone. None keeps nothing.
        all_tissue: Look at the whole image, however large.
        show_progress: Show a bar.
    """

    def __init__(
        self,
        detector: MitosisDetector,
        slide: Slide,
        name: str | None = None,
        case: str | None = None,
        keep_in: Path | None = None,
        all_tissue: bool = False,
        show_progress: bool = False,
    ) -> None:
        self.detector, self.slide = detector, slide
        self.name = name or slide.path.stem
        self.case = case or self.name
        self.keep_in, self.show_progress = keep_in, show_progress
        same = abs(slide.mpp / detector.mpp - 1) < SAME_MPP
        self.mpp = slide.mpp if same else detector.mpp
        self.size = slide.size_at(self.mpp)
        self.tiles = self._plan(all_tissue)

    def run(self) -> SlideResult:
        """Find the mitoses.

        Returns:
            What was found, px of the full resolution.

        Raises:
            ValueError: If the slide cannot be read.
        """
        start = time.perf_counter()
        detections = self._merge(Found.joined(list(self._parts())))
        return SlideResult(
            name=self.name,
            file_name=str(self.slide.path),
            case=self.case,
            width=self.slide.width,
            height=self.slide.height,
            mpp=self.slide.mpp,
            detections=detections,
            threshold=self.detector.threshold,
            threshold_from=self.detector.threshold_from,
            tissue_mm2=self.tiles.area_px * self.mpp**2 / 1e6,
            model=self.detector.record,
            seconds=time.perf_counter() - start,
        )

    def _plan(self, all_tissue: bool) -> Tiles:
        """Lay the windows."""
        tissue = None if all_tissue else slide_tissue(self.slide)
        window = self.detector.window_size
        halo = halo_px(window, self.mpp)
        return plan_tiles(*self.size, window, halo, tissue)

    def _parts(self) -> Iterator[Found]:
        """Give the detections of all windows, a part of them at a time, in order."""
        windows = [tuple(w) for w in self.tiles.windows_xyxy.tolist()]
        chunks = [windows[i : i + CHUNK] for i in range(0, len(windows), CHUNK)]
        missing = [i for i in range(len(chunks)) if not self._kept(i)]
        fit = self._fit() if missing else None
        with tqdm(
            total=len(windows),
            desc=printable(self.name[:30]),
            unit="window",
            leave=False,
            disable=not self.show_progress,
        ) as bar:
            for number, chunk in enumerate(chunks):
                kept = self._kept(number)
                if kept:
                    bar.update(len(chunk))
                    yield Found.load(kept)
                    continue
                windows_found: list[WindowDetections] = []
                for batch in self._compute(chunk, fit):
                    windows_found += batch
                    bar.update(len(batch))
                found = Found.of(windows_found, number * CHUNK)
                if self.keep_in is not None:
                    found.save(self._part(number))
                yield found

    def _compute(self, windows: list[tuple], fit: Fit | None) -> Iterator[list[WindowDetections]]:
        """Run the detector on some windows; give what it finds batch by batch, in order."""
        detector, parallel = self.detector, self.detector.parallel
        size = -(-detector.batch_size // parallel)
        batches = [windows[i : i + size] for i in range(0, len(windows), size)]

        def prepare(window: tuple[int, int, int, int]) -> dict:
            x1, y1, x2, y2 = window
            rgb = self.slide.read(x1, y1, x2 - x1, y2 - y1, self.mpp)
            return detector.prepare(rgb, fit)

        def compute(batch: list[tuple]) -> list[WindowDetections]:
            return detector.detect([prepare(window) for window in batch], batch)

        if parallel > 1:
            each = max(1, torch.get_num_threads() // parallel)
            yield from work_ahead(compute, batches, parallel, 2 * parallel, each)
            return
        workers = detector.workers
        # Closed here, so that no thread reads a slide that is closed where a batch fails.
        with closing(work_ahead(prepare, windows, workers, ahead=2 * size + workers)) as prepared:
            for batch in batches:
                yield detector.detect(list(islice(prepared, len(batch))), batch)

    def _fit(self) -> Fit | None:
        """Estimate the stains of the slide."""
        normalizer = self.detector.normalizer
        if normalizer is None:
            return None
        width, height = self.size
        if max(width, height) <= FIT_PX:
            whole = self.slide.read(0, 0, width, height, self.mpp)
            if tissue_share(whole[::FIT_STEP, ::FIT_STEP]) >= FIT_SHARE:
                return normalizer.estimate(whole)
        parts = self._stained_parts()
        return normalizer.estimate(np.concatenate(parts)) if parts else None

    def _stained_parts(self) -> list[np.ndarray]:
        """Draw windows that are full of tissue; where none is, take the one that shows most."""
        windows = self.tiles.windows_xyxy
        order = np.random.default_rng(0).permutation(len(windows))[:FIT_TRIES]
        full: list[np.ndarray] = []
        best, most = [], 0.0
        for x1, y1, x2, y2 in windows[order].tolist():
            rgb = self.slide.read(x1, y1, x2 - x1, y2 - y1, self.mpp)
            share = tissue_share(rgb[::FIT_STEP, ::FIT_STEP])
            if share >= FIT_SHARE:
                full.append(rgb)
            elif share > most:
                best, most = [rgb], share
            if len(full) == FIT_PARTS:
                break
        return full or best

    def _part(self, number: int) -> Path:
        """Name the file of a part."""
        return self.keep_in / f"{number}.npz"

    def _kept(self, number: int) -> Path | None:
        """Give the file of a part that is done."""
        if self.keep_in is None or not self._part(number).is_file():
            return None
        return self._part(number)

    def _merge(self, found: Found) -> FieldDetections:
        """Bring the windows together, and their detections to the full resolution."""
        radius = self.detector.merge_radius_um / self.mpp
        keep = merge_tiles(
            found.centers_xy,
            found.scores,
            found.bboxes_xyxy,
            found.window_index,
            self.tiles,
            radius,
        )
        scale = self.mpp / self.slide.mpp
        return FieldDetections(
            found.centers_xy[keep] * scale,
            found.scores[keep],
            found.bboxes_xyxy[keep] * scale,
            [[(p * scale).tolist() for p in parts] for parts in found.polygons(keep)],
        )

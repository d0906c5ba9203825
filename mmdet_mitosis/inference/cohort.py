"""Many slides: each done once, by whichever run comes to it."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmdet_mitosis.cli import printable
from mmdet_mitosis.fileio import clear_unfinished, write_json_atomic
from mmdet_mitosis.inference.detector import MitosisDetector
from mmdet_mitosis.inference.inputs import Input
from mmdet_mitosis.inference.records import SlideResult
from mmdet_mitosis.inference.slide_run import SlideRun
from mmdet_mitosis.inference.slides import Slide, open_slide
from mmdet_mitosis.json_file import short
from mmdet_mitosis.locks import open_lock

SUMMARY = "summary.json"
OF_THE_GPU = re.compile(r"CUDA|cuDNN|CUBLAS|\bHIP\b")
HIDDEN = ".infer"
"""Folder for what is not finished: parts of slides, locks and failures."""


def with_file(file_name: str, reason: str) -> str:
    """Say why a file failed.

    Args:
        file_name: The file, with its folder.
        reason: Why; most name the file themselves.

    Returns:
        One sentence that names it once.
    """
    return reason if file_name in reason else f"{file_name}: {reason}"


@dataclass(frozen=True)
class Options:
    """What decides a slide's result beside the detector.

    Attributes:
        mpp: Of slides that do not say their resolution, µm a pixel; None for an error.
        all_tissue: Look at glass too.
        extra: What else the output depends on, as json can hold it.
    """

    mpp: float | None = None
    all_tissue: bool = False
    extra: tuple = ()


class Cohort:
    """Slides that are to be done into a folder.

    Each has a folder there, ``<name>/``, which appears whole. A slide that is done with the same
    detector and settings, and has not changed since, is not done again; one that was interrupted
    goes on where it stopped. A slide that cannot be read is noted and does not stop the others.

    Args:
        detector: The detector.
        inputs: The slides.
        out: The folder.
        options: What else decides their results.
        write: Writes the output of a slide into a folder, and gives its summary, which is written
            last as ``summary.json``.
    """

    def __init__(
        self,
        detector: MitosisDetector,
        inputs: Sequence[Input],
        out: Path,
        options: Options,
        write: Callable[[Path, SlideResult, Slide], dict[str, Any]],
    ) -> None:
        self.detector, self.inputs, self.out = detector, inputs, out
        self.options, self.write = options, write

    def run(self, rank: int = 0, world_size: int = 1) -> None:
        """Do a share of the slides.

        Args:
            rank: Number of this process.
            world_size: Number of processes; each takes every so many-th slide.
        """
        share = self.inputs[rank::world_size]
        with tqdm(share, "slides", unit="slide", disable=len(share) < 2) as slides:
            for given in slides:
                self._do(given)

    def summaries(self) -> list[dict[str, Any]]:
        """Read the summaries of the slides that are done, with these settings.

        Returns:
            One a slide, in their order.
        """
        return [
            json.loads((self.out / given.name / SUMMARY).read_text(encoding="utf-8"))
            for given in self.inputs
            if self._is_done(given)
        ]

    def failures(self) -> dict[str, str]:
        """Read why slides could not be done.

        Returns:
            The reason by file, of those that failed when they were last tried.
        """
        found = {}
        for given in self.inputs:
            path = self._hidden("failed", given)
            if path.is_file():
                found[str(given.path)] = json.loads(path.read_text(encoding="utf-8"))["reason"]
        return found

    def unfinished(self) -> list[Input]:
        """List the slides that are neither done nor failed: other processes have them."""
        return [
            given
            for given in self.inputs
            if not self._is_done(given) and not self._hidden("failed", given).is_file()
        ]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing what belongs to all slides, until they have it anew."""
        with _locked(self.out / HIDDEN / "cohort.lock", wait=True):
            clear_unfinished(self.out, "summary.*")
            yield

    def _do(self, given: Input) -> None:
        """Do a slide, unless that is done."""
        failed = self._hidden("failed", given)
        try:
            with _locked(self._hidden("locks", given), wait=False) as mine:
                if mine:
                    clear_unfinished(failed.parent, glob.escape(failed.name))
                    self._run(given)
                    failed.unlink(missing_ok=True)
                else:
                    tqdm.write(f"{given.name}: another process is at it")
        # Whatever a file can do to its readers must not stop the others.
        except Exception as error:
            # But a GPU that has failed would fail them all.
            if isinstance(error, RuntimeError) and OF_THE_GPU.search(str(error)):
                reason = f"the GPU has failed: {short(error)}; a second run goes on from here"
                raise OSError(with_file(str(given.path), reason)) from error
            reason = " ".join(str(error).split()) or type(error).__name__
            tqdm.write(printable(with_file(str(given.path), reason)))
            write_json_atomic(failed, {"reason": reason})

    def _run(self, given: Input) -> None:
        """Do a slide."""
        key = self._key(given)
        target = self.out / given.name
        if self._is_done(given):
            self._clear(given, key)
            return
        parts = self._hidden("parts", given)
        if parts.is_dir() and not (parts / key).is_dir():
            shutil.rmtree(parts)  # of other settings
        with open_slide(given.path, self.options.mpp) as slide:
            result = SlideRun(
                self.detector,
                slide,
                name=given.name,
                case=given.case,
                keep_in=parts / key,
                all_tissue=self.options.all_tissue,
                show_progress=True,
            ).run()
            staged = self._hidden("staged", given)
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
            summary = self.write(staged, result, slide)
        write_json_atomic(staged / SUMMARY, {**summary, "run": key})
        _put(staged, target, self._hidden("replaced", given))
        self._clear(given, key)

    def _clear(self, given: Input, key: str) -> None:
        """Remove what a slide needed until it was done, also that of a run killed just then."""
        parts = self._hidden("parts", given)
        others = [self._hidden(kind, given) for kind in ("staged", "replaced")]
        for folder in (parts / key, *others):
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # parts of other settings, which their next run goes on from
            parts.rmdir()

    def _is_done(self, given: Input) -> bool:
        """Tell whether the output of a slide is there, of the file as it is and these settings."""
        try:
            return _key_of(self.out / given.name) == self._key(given)
        except OSError:  # the slide is gone
            return False

    def _key(self, given: Input) -> str:
        """Name what the slide's result depends on."""
        status = given.path.stat()
        record = self.detector.record
        settings = [
            str(given.path),
            given.case,
            status.st_size,
            status.st_mtime_ns,
            record["checkpoint_sha256"],
            record["config"],
            record["config_sha256"],
            self.detector.threshold,
            self.detector.mpp,
            self.detector.window_size,
            self.options.mpp,
            self.options.all_tissue,
            self.options.extra,
        ]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]

    def _hidden(self, kind: str, given: Input) -> Path:
        """Place what belongs to a slide and is no output."""
        return self.out / HIDDEN / kind / given.name


def _key_of(folder: Path) -> str | None:
    """Tell what the output in a folder is of; None where there is none."""
    try:
        return json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["run"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _put(staged: Path, target: Path, aside: Path) -> None:
    """Move a folder to its place, and what was there out of the way."""
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        aside.parent.mkdir(parents=True, exist_ok=True)
        target.replace(aside)
    staged.replace(target)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _locked(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a lock file; without waiting, give whether it could be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_lock(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True

"""The page: everything that is known of a test, put into the template."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmdet_mitosis.cli import printable_lines
from mmdet_mitosis.evaluation.functional import Counts
from mmdet_mitosis.evaluation.report import summarize
from mmdet_mitosis.fileio import write_bytes_atomic
from mmdet_mitosis.report.crops import CROP_PX, CROP_UM
from mmdet_mitosis.report.findings import FALSE_POSITIVE, HIT, MISS, find_all
from mmdet_mitosis.report.galleries import make_gallery
from mmdet_mitosis.report.provenance import iteration_of, provenance
from mmdet_mitosis.report.scored_run import ScoredRun, load_run
from mmdet_mitosis.report.sections import count_section, curve_section, training_section
from mmdet_mitosis.report.tables import Table, figures_table, methods_table

TEMPLATE, STYLE, SCRIPT = "page.html.j2", "page.css", "page.js"


def write_report(
    work_dir: str | Path,
    split: str = "test",
    out: str | Path | None = None,
    ann_file: str | Path | None = None,
    image_root: str | Path | None = None,
) -> Path:
    """Write the report of a test.

    Args:
        work_dir: Work folder of ``tools/test.py``.
        split: Name of the split.
        out: File to write; None: ``<split>_report.html`` in the work folder.
        ann_file: Where the annotation file is now; None: where it was at the test.
        image_root: Where the images are now; None: where they were at the test.

    Returns:
        The file.

    Raises:
        FileNotFoundError: As :func:`~mmdet_mitosis.report.scored_run.load_run`.
        ValueError: As :func:`~mmdet_mitosis.report.scored_run.load_run`.
        OSError: If the file cannot be written.
    """
    run = load_run(work_dir, split, ann_file, image_root)
    path = Path(out) if out else Path(work_dir) / f"{split}_report.html"
    # A lone surrogate, which json can hold, is no text that a file can.
    write_bytes_atomic(path, render_page(run).encode("utf-8", "replace"))
    return path


def render_page(run: ScoredRun, made: datetime | None = None) -> str:
    """Put a run into one HTML page that needs nothing else.

    Args:
        run: The run.
        made: Date on the page; None: now.

    Returns:
        The page. All text of the run is escaped; a content security policy lets nothing run but
        the page's own script, and nothing be fetched.
    """
    scores = run.scores
    threshold, radius_um, method = (scores[k] for k in ("threshold", "radius_um", "method"))
    figures = summarize(
        run.split,
        run.fields,
        run.detections,
        threshold,
        scores["threshold_from"],
        radius_um,
        method,
    )
    counts = Counts(figures["tp"], figures["fp"], figures["fn"])
    found = find_all(run.fields, run.detections, threshold, radius_um, method)
    script = _text(SCRIPT)
    template = _environment().get_template(TEMPLATE)
    return template.render(
        figures=figures,
        run=run,
        warnings=_warnings(run, counts),
        notes=_notes(run, counts),
        methods=methods_table(figures["by_method"]),
        curves=curve_section(run, figures, counts),
        training=training_section(run.training, iteration_of(scores["checkpoint"])),
        groups=_group_tables(figures, run.split),
        counts=count_section(figures),
        galleries=[
            make_gallery(kind, found[kind], run.image_root, radius_um, threshold)
            for kind in (FALSE_POSITIVE, MISS, HIT)
        ],
        crop_um=CROP_UM,
        crop_px=CROP_PX,
        provenance=provenance(run, made or datetime.now()),
        style=Markup(_text(STYLE)),
        script=Markup(script),
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _group_tables(figures: dict, split: str) -> tuple[list[Table], list[str]]:
    """Lay out the figures by case and by scanner; say why where there is no table."""
    tables, notes = [], []
    for key, of_what in (("cases", "case"), ("scanners", "scanner")):
        groups = figures[key]
        if len(groups) > 1:
            name = f"By {of_what}"
            tables.append(figures_table(name, of_what, groups, figures, split))
        elif groups:
            notes.append(f"All fields are of one {of_what}: {next(iter(groups))}.")
    if not figures["n_fields"]:
        notes.append("The split has no labelled field.")
    return tables, notes


def _warnings(run: ScoredRun, counts: Counts) -> list[str]:
    """Say what makes the result another thing than it seems."""
    scores, warnings = run.scores, []
    if scores["threshold_from"].startswith(f"{scores['ann_file']} "):
        warnings.append(
            "The threshold was chosen on this very split: the F-score is better than it would be "
            "on other data, and no result to report."
        )
    if scores["threshold_from"] == "--threshold":
        warnings.append(
            "The threshold was given on the command line. Nothing tells what it was chosen on; if "
            "on this split, the F-score is no result to report."
        )
    stored = Counts(*(int(scores[key]) for key in ("tp", "fp", "fn")))
    if stored != counts:
        warnings.append(
            f"The detections give TP {counts.tp}, FP {counts.fp} and FN {counts.fn}; the scores "
            f"file has TP {stored.tp}, FP {stored.fp} and FN {stored.fn}. A difference of one can "
            "come from rounding; with a larger one the files are of different tests: run "
            "tools/test.py again. This page is made of the detections."
        )
    return warnings


def _notes(run: ScoredRun, counts: Counts) -> list[str]:
    """Say what is missing."""
    notes = []
    if run.n_unlabelled:
        notes.append(f"{run.n_unlabelled} fields are not labelled and not scored.")
    if not counts.tp + counts.fn:
        notes.append(
            "The split has no labelled mitosis: recall and F-score are 0 of 0, and given as 0."
        )
    found = list(run.detections.values())
    if not sum(len(detections) for detections in found):
        notes.append("The detector found nothing at any score.")
    elif not counts.tp + counts.fp:
        notes.append("No detection scores as high as the threshold.")
    elif not any(polygons for detections in found for polygons in detections.polygons):
        notes.append("The detector gives no masks: in the pictures, circles alone mark detections.")
    return notes


def _environment() -> Environment:
    """Make the environment that escapes whatever it is given."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plain(value: Any) -> Any:
    """Spell out what would turn the direction of a text, before it is escaped."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return printable_lines(value) if is_text else value


def _text(name: str) -> str:
    """Read a file of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")

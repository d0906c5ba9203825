"""The same detections in every format of results, and a ground truth for them."""

from pathlib import Path

from tests.evaluation.fields import coco, write

MITOSES = {1: [(100, 100), (300, 100)], 2: [(200, 200)], 3: []}
POINTS = {
    1: [(110, 100, 0.9), (600, 400, 0.7)],
    2: [(205, 200, 0.4)],
    3: [(50, 60, 0.6)],
}
"""By image: x, y, score. A hit and a false one; a hit that scores low; a false one."""
COUNTS = {0.5: (1, 2, 2), 0.4: (2, 2, 1), 0.65: (1, 1, 2), 0.95: (0, 0, 3)}
"""TP, FP and FN of these by threshold."""
MPP = 0.25


def ground_truth(folder: Path, name: str = "test.json") -> Path:
    """Three fields ``source/01.tif`` to ``source/03.tif`` of two cases."""
    return write(folder / name, coco(MITOSES))


def named(image_id: int) -> str:
    return f"source/{image_id:02d}"


def as_records(points: dict = POINTS, form: str = "point") -> list[dict]:
    """COCO results: the point, a box around it, or the point and a box that lies elsewhere."""
    records = []
    for image_id, found in points.items():
        for x, y, score in found:
            record = {"image_id": image_id, "category_id": 1, "score": score}
            if form != "box":
                record["point"] = [x, y]
            if form != "point":
                shift = 40 if form == "both" else 0
                record["bbox"] = [x - 8 + shift, y - 6 + shift, 16, 12]
            records.append(record)
    return records


def as_multiple_points(found: list, decided_at: float | None = 0.5) -> dict:
    """MIDOG's object of one image, in mm; without a decision as in 2021: points alone."""
    points = []
    for x, y, score in found:
        point = {"point": [x * MPP / 1000, y * MPP / 1000, 0]}
        if decided_at is not None:
            name = "mitotic figure" if score >= decided_at else "non-mitotic figure"
            point |= {"name": name, "probability": score}
        points.append(point)
    return {"type": "Multiple points", "points": points, "version": {"major": 1, "minor": 0}}


def as_job(image_id: int, value: dict | None) -> dict:
    """A job of grand-challenge.org."""
    socket = {"slug": "mitotic-figures", "relative_path": "mitotic-figures.json"}
    image = {"name": f"{image_id:02d}.tif"}
    other = {"slug": "report", "relative_path": "report.json"}
    return {
        "pk": f"job-{image_id}",
        "inputs": [{"image": None, "value": 3}, {"image": image, "value": None}],
        "outputs": [
            {"interface": other, "value": None},
            {"interface": socket, "value": value, "file": "https://somewhere"},
        ],
    }


def write_coco(folder: Path, points: dict = POINTS) -> Path:
    return write(folder / "found.json", as_records(points))


def write_inferred(folder: Path, points: dict = POINTS) -> Path:
    """A folder as tools/infer.py writes it: each slide is image 1 of its own."""
    out = folder / "inferred"
    for image_id, found in points.items():
        slide = out / f"{image_id:02d}"
        slide.mkdir(parents=True)
        image = {"id": 1, "file_name": f"/slides/source/{image_id:02d}.tif", "labelled": False}
        write(slide / "detections_images.json", {"images": [image], "annotations": []})
        write(slide / "detections.json", as_records({1: found}, "both"))
        write(slide / "detections.csv", "case,slide\n")
        write(slide / "summary.json", {"n_mitoses": 1})
    write(out / "summary.csv", "slide,case\n")
    write(out / "summary.json", {"slides": []})
    return out


def write_boxes(folder: Path, points: dict = POINTS) -> Path:
    return write(folder / "boxes.json", as_records(points, "box"))


def write_both(folder: Path, points: dict = POINTS) -> Path:
    return write(folder / "both.json", as_records(points, "both"))


def write_midog(folder: Path, points: dict = POINTS, decided_at: float | None = 0.5) -> Path:
    """A folder of json, one an image."""
    out = folder / "midog"
    for image_id, found in points.items():
        (out / "source").mkdir(parents=True, exist_ok=True)
        write(out / f"{named(image_id)}.json", as_multiple_points(found, decided_at))
    return out


def write_midog_map(folder: Path, points: dict = POINTS) -> Path:
    """One json, by image name."""
    value = {f"{i:02d}.tif": as_multiple_points(found) for i, found in points.items()}
    return write(folder / "map.json", value)


def write_jobs(folder: Path, points: dict = POINTS) -> Path:
    """A folder with ``predictions.json`` and an output a job."""
    out = folder / "jobs"
    for image_id, found in points.items():
        (out / f"job-{image_id}" / "output").mkdir(parents=True)
        write(out / f"job-{image_id}/output/mitotic-figures.json", as_multiple_points(found))
    write(out / "predictions.json", [as_job(image_id, None) for image_id in points])
    return out


def write_jobs_inline(folder: Path, points: dict = POINTS) -> Path:
    """``predictions.json`` that holds the points itself."""
    jobs = [as_job(image_id, as_multiple_points(found)) for image_id, found in points.items()]
    return write(folder / "predictions.json", jobs)


def write_tupac(folder: Path, points: dict = POINTS, scores: bool = True) -> Path:
    """A folder of CSV files, row first."""
    out = folder / "tupac"
    for image_id, found in points.items():
        rows = [f"{y},{x},{score}" if scores else f"{y},{x}" for x, y, score in found]
        (out / "source").mkdir(parents=True, exist_ok=True)
        write(out / f"{named(image_id)}.csv", "".join(f"{row}\n" for row in rows))
    return out


WRITERS = {
    "points": write_coco,
    "boxes": write_boxes,
    "point wins over box": write_both,
    "inferred": write_inferred,
    "midog folder": write_midog,
    "midog map": write_midog_map,
    "jobs": write_jobs,
    "jobs inline": write_jobs_inline,
    "tupac": write_tupac,
}

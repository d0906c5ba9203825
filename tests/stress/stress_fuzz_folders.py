"""Spoilt files of the project's own: scores of tests, prepared folders, stains, lists of slides."""

import contextlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import merge
from data_prep.coco_files import json_bytes
from data_prep.prepare import main
from mmdet_mitosis.evaluation.comparison import compare_detectors
from mmdet_mitosis.evaluation.results import load_target
from mmdet_mitosis.evaluation.results.work_folder import read_work_folders
from mmdet_mitosis.inference.inputs import find_inputs
from mmdet_mitosis.report.scored_run import load_run
from mmdet_mitosis.stain import MacenkoNormalizer, StainFit
from mmdet_mitosis.stain.bank import StainBank
from mmdet_mitosis.stain.targets import set_target
from tests.data_prep.archives import make_distinct, make_mitos12, make_tupac16
from tests.evaluation.result_files import as_records, ground_truth
from tests.report.runs import make_run
from tests.stress.judging import Judge, finite, generator, limited
from tests.stress.mutations import spoil_bytes, spoil_json, spoil_lines

FIT = StainFit(np.array([[0.65, 0.07], [0.7, 0.99], [0.29, 0.11]]), np.array([1.9, 1.0]), 900)


def check_scores(found: Any) -> None:
    """See that a comparison of what was read can be written."""
    target, contenders = found
    for one in compare_detectors(target, contenders)["detectors"]:
        assert finite(one["threshold"], one["f_score"]), f"{one}"


def fuzz_work_folders(folder: Path, n: int) -> Judge:
    """Give spoilt scores of a test to ``read_work_folders``, and compare what is read."""
    judge = Judge("read_work_folders")
    target = load_target(ground_truth(folder))
    (folder / "test_detections.json").write_text(json.dumps(as_records(form="both")))
    scores, path = folder / "test_scores.json", str(target.path)
    good = {"ann_file": path, "threshold": 0.5, "threshold_from": "val.json", "radius_um": 7.5}
    good |= {"method": "optimal", "n_parameters": 1000, "training_hours": 0.5, "tp": 1}
    for case in range(n):
        scores.write_bytes(spoil_json(generator("work", case), good)[0])
        judge.put(case, lambda: read_work_folders([folder], "test"), folder, check_scores)
    return judge


def fuzz_reports(folder: Path, n: int) -> Judge:
    """Give spoilt scores of a test to ``load_run``, which reports are made of."""
    judge, work = Judge("load_run"), make_run(folder, images=False)
    scores = work / "test_scores.json"
    good = json.loads(scores.read_text())
    for case in range(n):
        scores.write_bytes(spoil_json(generator("reports", case), good)[0])
        judge.put(case, lambda: load_run(work), folder)
    return judge


def fuzz_merge(folder: Path, n: int) -> Judge:
    """Give spoilt json of prepared folders to ``merge``."""
    judge, paths = Judge("prepare.py merge"), [folder / "t", folder / "m"]
    make_tupac16(folder / "archives" / "t")
    make_mitos12(folder / "archives" / "m")
    make_distinct(folder / "archives")
    with limited():
        main(["tupac16", str(folder / "archives" / "t"), "--out", str(paths[0])])
        main(["mitos12", str(folder / "archives" / "m"), "--out", str(paths[1])])
    part = paths[1] / "annotations" / "train.json"
    good = json.loads(part.read_text())
    for case in range(n):
        part.write_bytes(spoil_json(generator("merge", case), good)[0])
        judge.put(case, lambda: merge.join(paths, []), folder, lambda p: json_bytes(p.whole))
    return judge


def fuzz_bank(folder: Path, n: int) -> Judge:
    """Give spoilt banks of stains to ``StainBank.load``."""
    judge, path = Judge("StainBank.load"), folder / "bank.json"
    good = [{**FIT.to_dict(), "name": "a", "weight": 2.0}, FIT.to_dict()]
    for case in range(n):
        path.write_bytes(spoil_json(generator("bank", case), good)[0])
        judge.put(case, lambda: StainBank.load(path), path)
    return judge


def fuzz_target(folder: Path, n: int) -> Judge:
    """Give spoilt targets and saved normalisers to ``set_target`` and ``load``."""
    judge, path = Judge("stain targets"), folder / "target.json"
    saved = MacenkoNormalizer().to_dict()
    for case in range(n):
        rng = generator("target", case)
        path.write_bytes(spoil_json(rng, rng.choice((FIT.to_dict(), saved)))[0])
        readers = (partial(set_target, MacenkoNormalizer()), MacenkoNormalizer.load)
        judge.put(case, partial(rng.choice(readers), path), path)
    return judge


def fuzz_lists(folder: Path, n: int) -> Judge:
    """Give spoilt lists of slides and tables of cases to ``find_inputs``."""
    judge, listed, cases = Judge("lists of slides"), folder / "list.txt", folder / "cases.csv"
    for name in ("a.png", "b.png"):
        (folder / name).touch()
    names = "a.png\n# none\nb.png\n"
    for case in range(n):
        rng = generator("lists", case)
        listed.write_bytes(spoil_bytes(rng, names.encode()) if case % 2 else names.encode())
        cases.write_bytes(spoil_lines(rng, "slide,case\na.png,1\nb.png,2\n"))
        with contextlib.chdir(folder):
            judge.put(case, lambda: find_inputs([], listed, cases))
    return judge


READERS: dict[str, tuple[Callable[[Path, int], Judge], int]] = {
    "work folders": (fuzz_work_folders, 1000),
    "reports": (fuzz_reports, 1000),
    "merge": (fuzz_merge, 1000),
    "bank": (fuzz_bank, 1000),
    "target": (fuzz_target, 1000),
    "lists": (fuzz_lists, 1000),
}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_folders(tmp_path: Path, reader: str) -> None:
    fuzz, n = READERS[reader]
    fuzz(tmp_path, n).finish()

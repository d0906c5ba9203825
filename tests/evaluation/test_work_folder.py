"""Scores of a test that are not what tools/test.py writes."""

import json

import pytest

from mmdet_mitosis.evaluation.results.work_folder import read_work_folders
from tests.evaluation.result_files import as_records, ground_truth


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": float("nan")}, "threshold is nan; expected a finite number"),
        ({"threshold": "0.5"}, "threshold is '0.5'; expected a finite number"),
        ({"radius_um": "7.5"}, "radius_um is '7.5'; expected a positive number"),
        ({"radius_um": 10**400}, "radius_um is 1000"),
        ({"radius_um": 1e308}, r"radius_um is 1e\+308; expected a positive number of up to 1e\+06"),
        ({"radius_um": -1}, "radius_um is -1; expected a positive number"),
        ({"method": []}, r"method is \[\]; expected optimal"),
        ({"method": "nearest"}, "method is 'nearest'; expected optimal"),
        ({"ann_file": 3.5}, "ann_file is 3.5; expected the name of a json"),
        ({"ann_file": "x" * 400}, "ann_file is 'xxx.*: File name too long; expected the name of"),
        ({"ann_file": "x" * 5000}, "ann_file is 'xxx"),
    ],
)
def test_scores_of_wrong_kinds(tmp_path, change: dict, said: str) -> None:
    good = {"ann_file": str(ground_truth(tmp_path)), "threshold": 0.5}
    (tmp_path / "test_detections.json").write_text(json.dumps(as_records(form="both")))
    scores = tmp_path / "test_scores.json"
    scores.write_text(json.dumps(good))
    assert read_work_folders([tmp_path], "test")[1][0].threshold.value == 0.5
    scores.write_text(json.dumps(good | change))
    with pytest.raises(ValueError, match=said) as caught:
        read_work_folders([tmp_path], "test")
    assert str(scores) in str(caught.value)
    assert len(str(caught.value)) < 400

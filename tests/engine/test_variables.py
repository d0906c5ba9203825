"""Variables of a config on the command line: what the config made of them follows."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_mitosis.engine.launch import load_config
from tests.make_data import CONFIGS

TUPAC = str(CONFIGS / "maskrcnn_r101_tupac.py")


def load(options: dict, path: str = TUPAC) -> Config:
    return load_config(path, None, options)


def paths(cfg: Config) -> list[str]:
    """Name the files that a config reads."""
    parts = [cfg[f"{split}_dataloader"].dataset for split in ("train", "val", "test")]
    found = [f"{part.data_root}{part.ann_file}" for part in parts]
    return [*found, cfg.val_evaluator.ann_file, cfg.test_evaluator.ann_file]


def test_another_folder_and_a_fold_move_every_path() -> None:
    expected = [f"{split}.json" for split in ("train", "val", "test", "val", "test")]
    assert paths(load({})) == [f"data/tupac16/annotations/{name}" for name in expected]
    for root in ("data/paper/", "data/paper"):  # a slash may be left out
        cfg = load({"data_root": root})
        assert paths(cfg) == [f"data/paper/annotations/{name}" for name in expected]
        assert cfg.data_root == "data/paper/"
    both = {"data_root": "/annotations/x", "annotations": "annotations/fold_2"}
    assert paths(load(both)) == [f"/annotations/x/annotations/fold_2/{name}" for name in expected]


@pytest.mark.parametrize("config", ["maskrcnn_r18_mitos12", "fcn_efficientnet_lite0_mitos12"])
def test_a_child_with_its_own_folder_moves_too(config: str) -> None:
    cfg = load({"data_root": "elsewhere/"}, str(CONFIGS / f"{config}.py"))
    assert all(path.startswith("elsewhere/annotations/") for path in paths(cfg))
    assert "data/mitos12" not in cfg.pretty_text


def test_the_stain_changes_in_every_pipeline() -> None:
    def methods(cfg: Config) -> list[str]:
        pipelines = [
            cfg[f"{split}_dataloader"].dataset.pipeline for split in ("train", "val", "test")
        ]
        return [step.method for steps in pipelines for step in steps if "method" in step]

    assert methods(load({})) == ["macenko"] * 3
    assert methods(load({"stain.method": "vahadane"})) == ["vahadane"] * 3
    one_split = {"stain.method": "none", "val_dataloader.dataset.pipeline.1.method": "reinhard"}
    assert methods(load(one_split)) == ["none", "reinhard", "none"]


def test_a_list_changes_where_an_equal_one_is() -> None:
    cfg = load({"test_pipeline.1.target": "a.png"})
    assert [cfg[f"{s}_dataloader"].dataset.pipeline[1].get("target") for s in ("val", "test")] == [
        "a.png",
        "a.png",
    ]
    assert "target" not in cfg.train_dataloader.dataset.pipeline[2]


def test_what_a_runner_reads_may_be_new() -> None:
    cfg = load({"sync_bn": "torch", "auto_scale_lr.enable": True, "load_from": None})
    assert cfg.sync_bn == "torch"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 4}, r"batch_size=2 is a variable .* train_dataloader\.batch_size"),
        ({"train_dataloder.batch_size": 4}, "no 'train_dataloder' in the config, and nothing"),
        ({"stain.method.name": "none"}, "do not fit"),
        ({"classes": "a"}, "no 'classes'"),
        ({"test_pipeline": -0.0}, "test_pipeline is -0.0; expected a list"),
        ({"meta_keys.0": "a"}, r"meta_keys=.* is a variable"),
    ],
)
def test_a_variable_that_nothing_would_follow_is_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load(options)


def test_a_variable_that_the_config_has_not_used_as_it_is(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(f'_base_ = "{TUPAC}"\nname = "mine"\nextra = dict(a=1)\n')
    for option, said in (("name", "no folder"), ("extra.a", "has not used")):
        with pytest.raises(ValueError, match=said):
            load({option: "x"}, str(child))

"""How many windows keep their colours: counted over batches, said in one line."""

from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmdet_mitosis.engine import StainReportHook
from tests import make_data
from tests.make_data import random_mitoses
from tests.transforms.tissue import blank, save, tissue

SIZE = 96


class Logged:
    """A runner of which only the log is looked at."""

    def __init__(self):
        self.lines = []
        self.logger = SimpleNamespace(info=self.lines.append)


def batch(*windows):
    """A batch of (path, normalised) windows; None for a key that is not packed."""
    samples = []
    for path, normalized in windows:
        sample = DetDataSample()
        metainfo = {"img_path": path, "stain_normalized": normalized}
        sample.set_metainfo({key: value for key, value in metainfo.items() if value is not None})
        samples.append(sample)
    return {"inputs": [], "data_samples": samples}


def feed(hook, runner, part, *batches):
    for index, data_batch in enumerate(batches):
        getattr(hook, f"after_{part}_iter")(runner, index, data_batch=data_batch, outputs=None)


FIRST = batch(("data/images/a/1.png", True), ("data/images/a/2.png", False))
SECOND = batch(("data/images/a/2.png", False), ("data/images/b/1.png", False))
CLEAN = batch(("data/images/a/1.png", True), ("data/images/c/1.png", True))


def test_windows_are_counted_over_batches_and_fields_named_once():
    hook, runner = StainReportHook(), Logged()
    feed(hook, runner, "test", FIRST, SECOND, CLEAN)
    hook.after_test_epoch(runner, {})
    assert runner.lines == [
        "stain normalisation: 3 of 6 test windows left as they were (2 fields with too little "
        "tissue: a/2.png, b/1.png)"
    ]


def test_nothing_is_said_where_all_were_normalised():
    hook, runner = StainReportHook(), Logged()
    feed(hook, runner, "test", CLEAN, CLEAN)
    hook.after_test_epoch(runner, {})
    # Nor where nothing is normalised, or nobody packs whether it was.
    feed(hook, runner, "val", batch(("a.png", None)), {"inputs": []}, ([], []), None)
    hook.after_val_epoch(runner, {})
    hook.before_val_epoch(runner)
    assert runner.lines == []


def test_training_is_reported_before_each_validation_and_at_its_end():
    hook, runner = StainReportHook(), Logged()
    feed(hook, runner, "train", FIRST)
    hook.before_val_epoch(runner)
    feed(hook, runner, "val", CLEAN, SECOND)
    hook.after_val_epoch(runner, {})
    feed(hook, runner, "train", CLEAN)
    hook.before_val_epoch(runner)
    feed(hook, runner, "train", CLEAN, SECOND)
    hook.after_train_epoch(runner)
    hook.after_train_epoch(runner)
    said = [line.removeprefix("stain normalisation: ").split(" left")[0] for line in runner.lines]
    assert said == [
        "1 of 2 training windows",
        "2 of 4 validation windows",
        "2 of 4 training windows",
    ]


def test_a_window_without_a_path_is_counted():
    hook, runner = StainReportHook(), Logged()
    feed(hook, runner, "test", batch((None, False), (None, True)))
    hook.after_test_epoch(runner)
    assert runner.lines == ["stain normalisation: 1 of 2 test windows left as they were"]


def test_views_of_one_window_are_counted_each():
    hook, runner = StainReportHook(), Logged()
    views = {"inputs": [], "data_samples": [FIRST["data_samples"], SECOND["data_samples"]]}
    feed(hook, runner, "test", views)
    hook.after_test_epoch(runner)
    assert "3 of 4 test windows" in runner.lines[0]


@pytest.mark.parametrize(("n", "end"), [(10, "/9.png)"), (11, "/9.png, …)")])
def test_long_lists_are_cut(n, end):
    hook, runner = StainReportHook(), Logged()
    feed(hook, runner, "test", batch(*((f"images/{k:02}/{k}.png", False) for k in range(n))))
    hook.after_test_epoch(runner)
    (line,) = runner.lines
    assert f"({n} fields" in line and line.endswith(end)


def test_one_field_is_no_plural():
    hook, runner = StainReportHook(), Logged()
    feed(hook, runner, "test", FIRST)
    hook.after_test_epoch(runner)
    assert runner.lines[0].endswith("(1 field with too little tissue: a/2.png)")


def gathered(monkeypatch):
    """Let processes send to a list, and get it; give the list."""
    sent = []
    gather = "mmdet_mitosis.engine.stain_report_hook.all_gather_object"
    monkeypatch.setattr(gather, lambda own: sent.append(own) or sent)
    return sent


def test_the_counts_of_all_processes_are_added(monkeypatch):
    hooks = [StainReportHook() for _ in range(2)]
    runners = [Logged(), Logged()]
    feed(hooks[0], runners[0], "test", CLEAN)
    feed(hooks[1], runners[1], "test", FIRST, SECOND)
    gathered(monkeypatch)
    hooks[1].after_test_epoch(runners[1])
    hooks[0].after_test_epoch(runners[0])
    # The process without a window of its own to report says the sum too: rank 0 is the one heard.
    assert "3 of 6 test windows" in runners[0].lines[0] and "2 fields" in runners[0].lines[0]


@pytest.mark.parametrize("call", ["before_val_epoch", "after_val_epoch", "after_train_epoch"])
def test_every_process_takes_part_with_nothing_to_say(call, monkeypatch):
    # A process that stays away would leave the others waiting.
    sent = gathered(monkeypatch)
    getattr(StainReportHook(), call)(Logged())
    assert sent == [(0, {})]


def test_registry_builds_it(mmdet_scope):
    assert isinstance(HOOKS.build({"type": "StainReportHook"}), StainReportHook)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two fields of a window each, in every split: tissue, and next to none."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(2)
    sizes = [(SIZE, SIZE)] * 2
    for split in ("train", "val", "test"):
        mitoses = [random_mitoses(rng, 3, *size) for size in sizes]
        make_data.write_data(root, sizes, mitoses, split)
    save(root / "images" / "field0.png", tissue(size=SIZE))
    save(root / "images" / "field1.png", blank(SIZE))
    return root


def test_the_tree_reports_training_validation_and_test(root, tmp_path, monkeypatch):
    cfg = make_data.with_data("maskrcnn_r18_demo.py", root)
    make_data.shrink(cfg.model)
    for split in ("train", "val", "test"):
        loader = cfg[f"{split}_dataloader"]
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.window_size = SIZE
    cfg.model.test_cfg.rpn.max_per_img = 10
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint = None
    cfg.test_evaluator.threshold = 0.5
    cfg.work_dir, cfg.experiment_name = str(tmp_path), tmp_path.name
    lines = []
    info = MMLogger.info
    monkeypatch.setattr(
        MMLogger, "info", lambda self, text, *rest: lines.append(text) or info(self, text, *rest)
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    runner.test()
    said = [line for line in lines if str(line).startswith("stain normalisation")]
    end = "left as they were (1 field with too little tissue: images/field1.png)"
    assert said == [
        f"stain normalisation: 2 of 4 training windows {end}",
        f"stain normalisation: 1 of 2 validation windows {end}",
        f"stain normalisation: 1 of 2 test windows {end}",
    ]

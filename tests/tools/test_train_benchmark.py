"""benchmarks/train.py: both roads train on the same pixels with the same objects."""

import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config

from benchmarks import train as benchmark
from data_prep import prepare
from mmdet_mitosis.engine.launch import load_config
from tests.tools.commands import CONFIG, ROOT

N_ITERATIONS = 2


def test_both_roads_see_the_same(data, tmp_path, mmdet_scope, monkeypatch):
    def here(root, script, *words):
        assert script == "data_prep/prepare.py"
        prepare.main([str(word) for word in words])

    monkeypatch.setattr(benchmark, "run_script", here)
    options = ["train_dataloader.dataset.window_size=128", "train_dataloader.batch_size=3"]
    words = ["tupac16", data.parent / "archive", "--work", tmp_path, "--config", ROOT / CONFIG]
    words += ["--iterations", N_ITERATIONS, "--warm-up", 0, "--cfg-options", *options]
    args = benchmark.parse_args([str(word) for word in words])
    cfg = load_config(args.config, None, args.cfg_options)
    fields, tiles = benchmark.prepare(args, cfg)
    ours = benchmark.our_config(args, cfg, fields)
    indices = benchmark.draw_windows(ours, args.iterations)
    stock = Config.fromfile(benchmark.stock_config(args, cfg, tiles, indices))
    assert ours.train_cfg.max_iters == stock.train_cfg.max_iters == N_ITERATIONS
    assert ours.model == stock.model and ours.optim_wrapper == stock.optim_wrapper
    datasets = [DATASETS.build(c.train_dataloader.dataset) for c in (ours, stock)]
    assert len(indices) == len(datasets[1]) == 3 * N_ITERATIONS
    n_objects = 0
    for place, index in enumerate(indices):
        samples = []
        for dataset, position in zip(datasets, (index, place), strict=True):
            np.random.seed(place)  # of the flip
            samples.append(dataset[position])
        assert torch.equal(samples[0]["inputs"], samples[1]["inputs"])
        objects = [sample["data_samples"].gt_instances for sample in samples]
        assert torch.allclose(objects[0].bboxes.tensor, objects[1].bboxes.tensor, atol=1e-3)
        np.testing.assert_array_equal(objects[0].masks.masks, objects[1].masks.masks)
        n_objects += len(objects[0])
    assert n_objects > 0


def test_the_table_says_what_ours_takes_of_stock():
    def run(seconds, waits, processor):
        rows = [{"time": 9.0, "data_time": 9.0, "loss": 2.0}]
        rows += [{"time": s, "data_time": waits, "loss": 1.0} for s in seconds]
        return benchmark.Run(rows, benchmark.Measured(1.0, processor, 3 * 2**30))

    runs = {"ours": [run((1.0, 1.5, 2.0), 0.015, 8.0)], "stock": [run((2.0, 3.0, 4.0), 0.3, 10.0)]}
    text = benchmark.table(runs, 1)
    ours, stock = (line for line in text.splitlines() if line.startswith(("| ours", "| stock")))
    assert "1.500 (1.000)" in ours and "1.00%" in ours and "3.00" in ours
    assert "3.000 (2.000)" in stock and "10.00%" in stock
    assert "takes 0.500 of stock's time" in text and "0.800 of its processor time" in text
    assert "largest difference of any: 0.00%" in benchmark.losses(runs)

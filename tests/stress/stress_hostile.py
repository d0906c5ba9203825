"""Checkpoints that would run code, names that lead elsewhere, texts that command a terminal."""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from PIL import Image

from data_prep import prepare
from mmdet_mitosis.cli import printable, run_main
from mmdet_mitosis.engine.checkpoints import read_checkpoint, read_weights
from mmdet_mitosis.engine.embedded_config import config_of_checkpoint
from mmdet_mitosis.engine.launch import load_config, set_start
from mmdet_mitosis.engine.threshold_hook import KEY
from mmdet_mitosis.inference import MitosisDetector
from mmdet_mitosis.inference.inputs import find_inputs
from mmdet_mitosis.places import below
from mmdet_mitosis.texts import cell, json_line, markdown
from tests.compat.test_checkpoints import Reduced
from tests.inference.conftest import trained  # noqa: F401 (a fixture)
from tests.stress.disk import run_forked
from tests.tools.commands import CONFIG, load

ATTACKS: list[tuple[Callable, tuple]] = [
    (os.system, ("touch ran",)),
    (eval, ("open('ran', 'w').close()",)),
    (exec, ("open('ran', 'w').close()",)),
    (partial, (os.system, "touch ran")),
    (getattr, (Path, "touch")),
    (np.load, ("ran.npy",)),
    (torch.hub.load, ("ran", "x")),
    (open, ("ran", "w")),
]
"""Functions that a pickle would call, with their arguments."""
CARRIED = """model = dict(type="os.system", command="touch ran")
test_dataloader = dict(dataset=dict(window_size=512))
"""
COMMANDS = {
    "train": [[CONFIG, "--work-dir", "w", "--load-from", "P"], [CONFIG, "--resume", "P"]],
    "test": [[CONFIG, "P", "--work-dir", "w"]],
    "choose_threshold": [[CONFIG, "P", "--work-dir", "w", "--out", "new.pth"]],
    "infer": [["slide.png", "--mpp", 0.25, "--checkpoint", "P", "--out", "o"]],
    "mine_candidates": [[CONFIG, "P", "--out", "o"]],
    "join_stages": [[CONFIG, "P", "P", "--out", "new.pth", "--work-dir", "w"]],
    "ensemble": [[CONFIG, "P", "--out", "o"]],
    "report": [["F"]],
    "compare": [["F", "F"]],
}
"""Words of the commands; P is the checkpoint, F a work folder that it is the best of."""
PARTS = ["a", "b.c", "..", "/", "\\", "\0", "\x1b[2J", "\x9b31m", "\u202e", "\n", "\r", "\t", "="]
PARTS += [
    "+",
    "-",
    "@",
    "'",
    '"',
    "<b>",
    "|",
    "`",
    "]",
    "(",
    ",",
    ";",
    " ",
    "\udcff",
    "é",
    "細",
    "~",
]


def write_attacks(folder: Path) -> list[Path]:
    """Write checkpoints whose unpickling would make a file ``ran``, or whose config would."""
    found = []
    for zipped in (True, False):
        for number, (function, args) in enumerate(ATTACKS):
            path = folder / f"{number}_{zipped}" / "best_x.pth"
            path.parent.mkdir()
            weights = {"a": torch.rand(2)}
            bad = Reduced(function, *args)
            content = {"state_dict": weights, "meta": bad, KEY: {"threshold": 0.5}}
            torch.save(content, path, _use_new_zipfile_serialization=zipped)
            found.append(path)
    return found


def test_no_command_runs_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "pink").save("slide.png")
    attacks, tries = write_attacks(tmp_path), 0
    mains = {name: load(name).main for name in COMMANDS}
    for path in attacks:
        for name, lines in COMMANDS.items():
            for words in lines:
                stands_for = {"P": path, "F": path.parent, CONFIG: Path(load("train").__file__)}
                config = Path(load("train").__file__).parents[1] / CONFIG
                filled = [{**stands_for, CONFIG: config}.get(word, word) for word in words]
                with pytest.raises(SystemExit) as caught:
                    run_main(partial(mains[name], [str(word) for word in filled]), name)
                assert caught.value.code == 2, (name, path)
                tries += 1
    for path in attacks:
        for call in (
            read_weights,
            read_checkpoint,
            partial(MitosisDetector, device="cpu"),
            CheckpointLoader.load_checkpoint,
            lambda p: set_start(load_config(str(config), "w", None), str(p), None),
        ):
            with pytest.raises(Exception, match=r"could run code|may not look up|[Ww]eights"):
                call(str(path))
            tries += 1
    assert not list(tmp_path.rglob("ran*"))
    print(f"\n{tries} times a checkpoint that would run code; lost: nothing")


def test_no_command_runs_a_carried_config(trained, tmp_path: Path, monkeypatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    stored = read_checkpoint(trained[1])
    stored["meta"]["cfg"] = CARRIED
    torch.save(stored, "best_x.pth")
    Image.new("RGB", (64, 64), "pink").save("slide.png")
    config = Path(load("train").__file__).parents[1] / CONFIG
    words = {
        "infer": ["slide.png", "--mpp", 0.25, "--checkpoint", "best_x.pth", "--out", "o"],
        "ensemble": [config, "best_x.pth", "--out", "o"],
    }
    for name, line in words.items():
        with pytest.raises(SystemExit) as caught:
            run_main(partial(load(name).main, [str(word) for word in line]), name)
        assert caught.value.code == 2
    assert not Path("ran").exists()
    print(f"\n{len(words)} commands given a config that would run code; lost: nothing")


def test_parser_of_carried_configs(tmp_path: Path) -> None:
    """Random Python, in a process of little memory: an end in time, and by a sentence."""
    rng = random.Random(0)
    pieces = "( ) [ ] { } , : = == ** * + - . 1 9999 1e999 0x9 'a' \"b\" x lambda for in if else"
    pieces += " not and await yield dict( set( f'{x}' b'' ... \n \\ @ # := -> None True inf nan"
    pieces += " __import__('os') __class__ _base_ type 'type' 'os.system' import class def \0"
    tokens, slowest, tries = pieces.split(" "), 0.0, 20_000
    resource_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(tries):
        text = "a = " + "".join(rng.choices(tokens, k=rng.randint(1, 30)))
        if number % 20 == 0:
            text = "a = " + rng.choice(tokens) * rng.choice((100, 5000, 60_000))
        started = time.perf_counter()
        try:
            config_of_checkpoint({"meta": {"cfg": text}}, "a.pth")
        except ValueError as error:
            assert "a.pth" in str(error)
        slowest = max(slowest, time.perf_counter() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resource_before) / 1024
    print(
        f"\n{tries} carried configs, the slowest in {slowest:.1f} s, memory grew by {grown:.0f} "
        "MiB; lost: nothing"
    )
    assert slowest < 20
    assert grown < 1024


def hostile_names(count: int, seed: int = 0) -> list[str]:
    """Make names of all that is hostile."""
    rng = random.Random(seed)
    return ["".join(rng.choices(PARTS, k=rng.randint(1, 8))) for _ in range(count)]


def test_random_names_are_safe_in_every_form(tmp_path: Path) -> None:
    names = hostile_names(50_000)
    refused = 0
    for name in names:
        for safe in (printable(name), cell(name), markdown(name), json_line(name)):
            assert safe.isprintable()
        assert not any(part[:1] in "=+-@" for part in cell(name).split(";") if part)
        try:
            place = below(tmp_path, name, "x")
        except ValueError as error:
            assert printable(str(error)) == str(error)
            refused += 1
        else:
            assert Path(os.path.normpath(place)).is_relative_to(tmp_path)
            assert Path(os.path.normpath(place)) != tmp_path
    print(f"\n{len(names)} names, {refused} of them refused as paths; lost: nothing")


def test_files_of_hostile_names(trained, tmp_path: Path, capfd) -> None:  # noqa: F811
    """From a picture to all that is written of it."""
    root, checkpoint, _ = trained
    picture = Image.open(root / "images" / "field0.png")
    archive, wanted = tmp_path / "archive", []
    archive.mkdir()
    for name in hostile_names(60):
        name = name.replace("/", "").replace("\0", "").replace("\udcff", "").strip(". ")
        if name and not (archive / f"{name}.png").exists():
            picture.save(archive / f"{name}.png")
            wanted.append(name)
    out = tmp_path / "counts"
    words = [archive, "--checkpoint", checkpoint, "--mpp", 0.25, "--device", "cpu", "--out", out]
    ended = run_forked("infer", [*words, "--formats", "csv", "geojson"])
    assert ended.status == 0, ended.said[-2000:]
    assert all(x.isprintable() or x in "\n\r" for x in ended.said.replace("\x1b[A", ""))
    for path in out.rglob("*"):
        assert path.name.isprintable()
    for path in (*out.rglob("*.csv"), *out.rglob("*.geojson")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert len(find_inputs([archive])) == len(list(out.glob("*/summary.json"))) == len(wanted)
    table = tmp_path / "points.csv"
    lines = [f'"{name}.png",80,80'.replace('""', '""') for name in wanted if '"' not in name]
    table.write_text("\n".join(["image,x,y", *lines]), encoding="utf-8")
    with pytest.raises(SystemExit):
        words = ["table", archive, "--table", table, "--mpp", 0.25, "--out", tmp_path / "data"]
        run_main(partial(prepare.main, [str(word) for word in words]), "prepare.py")
    said = "".join(capfd.readouterr())
    assert all(letter.isprintable() or letter in "\n\r" for letter in said.replace("\x1b[A", ""))
    print(f"\n{len(wanted)} pictures of hostile names counted and prepared; lost: nothing")

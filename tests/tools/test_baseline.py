"""tools/baseline.py: the order of its steps, and what is not done again."""

import os
from pathlib import Path

import pytest

from tests.tools.commands import load


@pytest.fixture
def tool(monkeypatch):
    """The command, with its steps recorded and their products made."""
    module = load("baseline")
    module.steps = []
    clock = iter(range(10**9, 10**9 + 10**6))

    def touch(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        now = next(clock)
        os.utime(path, (now, now))

    def run(*command) -> None:
        words = [str(word) for word in command]
        name = Path(words[0]).stem
        module.steps.append((name, *words[1:2]))
        work = Path(words[words.index("--work-dir") + 1]) if "--work-dir" in words else None
        if name == "train":
            touch(work / "best_x_iter_1.pth")
        elif name == "test":
            touch(work / "test_scores.json")
        elif name == "mine_candidates":
            for split in ("train", "val"):
                touch(Path(words[words.index("--out") + 1]) / "candidates" / f"{split}.json")
        elif name in ("join_stages", "choose_threshold"):
            touch(Path(words[words.index("--out") + 1]))

    monkeypatch.setattr(module, "run", run)
    done_at = module.Path.touch

    def touched(path, *args, **kwargs):
        done_at(path, *args, **kwargs)
        if path.name == module.DONE:
            now = next(clock)
            os.utime(path, (now, now))

    monkeypatch.setattr(module.Path, "touch", touched)
    return module


STAGE = "configs/two_stage/{}_mitos12.py"
ALL = [
    ("train", "configs/maskrcnn_r18_mitos12.py"),
    ("test", "configs/maskrcnn_r18_mitos12.py"),
    ("train", STAGE.format("candidates")),
    ("test", STAGE.format("candidates")),
    ("mine_candidates", STAGE.format("candidates")),
    ("train", STAGE.format("refiner")),
    ("join_stages", STAGE.format("two_stage")),
    ("test", STAGE.format("two_stage")),
    ("choose_threshold", "configs/maskrcnn_r18_mitos12.py"),
    ("mine_candidates", "configs/maskrcnn_r18_mitos12.py"),
    ("train", STAGE.format("refiner")),
    ("join_stages", STAGE.format("maskrcnn_refined")),
    ("test", STAGE.format("maskrcnn_refined")),
]


def steps(tool, tmp_path) -> list:
    """Run the chain; give its steps without the comparison."""
    tool.steps.clear()
    (tmp_path / "data" / "annotations").mkdir(parents=True, exist_ok=True)
    tool.main(["mitos12", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    assert tool.steps[-1][0] == "compare"
    return tool.steps[:-1]


def test_every_step_in_order_and_none_again(tool, tmp_path) -> None:
    assert steps(tool, tmp_path) == ALL
    assert steps(tool, tmp_path) == []


def test_it_goes_on_where_it_stopped(tool, tmp_path) -> None:
    real, count = tool.run, 0

    def dying(*command) -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise KeyboardInterrupt
        real(*command)

    tool.run = dying
    with pytest.raises(KeyboardInterrupt):
        steps(tool, tmp_path)
    tool.run = real
    assert steps(tool, tmp_path) == ALL[5:]


def test_what_is_made_from_something_newer_is_made_again(tool, tmp_path) -> None:
    steps(tool, tmp_path)
    (tmp_path / "out" / "candidates" / tool.DONE).unlink()  # stage 1 is trained further
    assert steps(tool, tmp_path) == ALL[2:8]
    (tmp_path / "out" / "maskrcnn" / tool.DONE).unlink()
    assert steps(tool, tmp_path) == [*ALL[:2], *ALL[8:]]


def test_the_demo_makes_its_own_data(tool, tmp_path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "best_x_iter_1.pth").touch()
    tool.main(["demo", "--out", str(tmp_path)])
    assert tool.steps[0] == ("demo", "--out")
    assert tool.steps[1] == ("train", "configs/two_stage/candidates_demo.py")


@pytest.mark.parametrize(
    "words", [["mitos12"], ["demo", "--data", "x"], ["mitos12", "--data", "x"]]
)
def test_data_is_asked_for_where_it_is_needed(tool, tmp_path, words, capsys) -> None:
    with pytest.raises(SystemExit):
        tool.main([*words, "--out", str(tmp_path)])
    assert "--data" in capsys.readouterr().err

"""model-index.yml and configs/metafile.yml against the files and the figures in the READMEs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from tests.make_data import CONFIGS

ROOT = CONFIGS.parent
COLUMNS = {
    "precision": "Precision",
    "recall": "Recall",
    "AP": "AP",
    "TP": "TP",
    "FP": "FP",
    "FN": "FN",
    "threshold, from": "Threshold",
    "threshold": "Threshold",
    "mean": "F-score",
    "F-score": "F-score",
    "F-score (95 %)": "F-score",
    "F-score (95 % interval)": "F-score",
    "F, test (95 %)": "F-score",
}
"""Of the tables in the READMEs, and what the metafile calls them."""


def tables(path: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Give the tables of a Markdown file, each with the text before it back to its heading."""
    before, rows, fenced = "", [], False
    for line in [*path.read_text().splitlines(), ""]:
        fenced ^= line.startswith("```")
        if line.startswith("|") and not fenced:
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            yield before, [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
            rows = []
        before = line if line.startswith("#") else f"{before}\n{line}"


def figures(row: dict[str, str]) -> dict[str, float]:
    """Read the numbers of a row."""
    found = {}
    for column, name in COLUMNS.items():
        if column in row:
            numbers = [float(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", row[column])]
            if numbers:
                found[name] = numbers[0]
            if name == "F-score" and len(numbers) > 1:
                found["F-score low"], found["F-score high"] = numbers[1:]
    return found


def has_scores(rows: list[dict[str, str]]) -> bool:
    """Tell whether a table has F-scores."""
    return any(COLUMNS.get(column) == "F-score" for column in rows[0])


def summaries(readme: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Give the config, if one is named, and the figures of each row of a table without splits."""
    for _, rows in tables(readme):
        if has_scores(rows) and "split" not in rows[0] and "condition" not in rows[0]:
            for row in rows:
                if numbers := figures(row):
                    named = re.search(r"`([\w/]+)(?:\.py)?`", " ".join(row.values()))
                    yield named[1] if named else "", numbers


def measured(readme: Path) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    """Give config, condition, split and figures of each row that was measured."""
    for before, rows in tables(readme):
        first = next(iter(rows[0]))
        if not has_scores(rows) or not ("split" in rows[0] or first == "condition"):
            continue
        for row in rows:
            if "split" in row:
                name, condition = re.search(r"`(\S+\.py)`", row["config"])[1], ""
            else:
                command = re.search(r"benchmarks/\w+\.py (\w+)", before)
                name, condition = f"{command[1]}.py", row["condition"]
            config = (readme.parent / name).resolve().relative_to(ROOT).as_posix()
            yield config, condition, row.get("split", ""), figures(row)


@pytest.fixture(scope="module")
def index() -> dict:
    """The collections and models of all files that model-index.yml names."""
    joined: dict[str, list] = {"Collections": [], "Models": []}
    for path in yaml.safe_load((ROOT / "model-index.yml").read_text())["Import"]:
        for key, entries in yaml.safe_load((ROOT / path).read_text()).items():
            joined[key] += entries
    return joined


def results(index: dict) -> list[tuple[str, str, str, dict[str, float]]]:
    """Give config, condition, data set and figures of each result."""
    return [
        (model["Config"], model["Metadata"].get("Condition", ""), result["Dataset"], numbers)
        for model in index["Models"]
        for result in model["Results"]
        for numbers in [result["Metrics"]]
    ]


READMES = sorted(CONFIGS.rglob("README.md"))


def test_every_result_of_the_readmes_is_in_the_metafile_and_no_other(index):
    # A config of another folder beside one's own is told there too.
    written = []
    for row in (row for readme in READMES for row in measured(readme)):
        if row not in written:
            written.append(row)
    left = results(index)
    assert len(written) > 15
    for config, condition, split, numbers in written:
        same = [
            entry
            for entry in left
            if entry[:2] == (config, condition) and entry[2].endswith(split) and entry[3] == numbers
        ]
        assert len(same) == 1, (
            f"configs/metafile.yml has {len(same)} results for {config} {condition} on "
            f"{split or 'test'} with {numbers}"
        )
        left.remove(same[0])
    assert not left, f"configs/metafile.yml has results that no README has: {left}"


@pytest.mark.parametrize(
    "readme", [ROOT / "README.md", *READMES], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_figures_of_summaries_are_among_them(index, readme):
    rows = list(summaries(readme))
    assert rows or readme != ROOT / "README.md"
    for name, numbers in rows:
        assert any(
            numbers.items() <= found.items() and name in config
            for config, _, _, found in results(index)
        ), f"{readme}: no result of {name or 'any config'} in configs/metafile.yml has {numbers}"


def test_models_are_of_the_collections_and_their_files_exist(index):
    names = [entry["Name"] for entry in index["Collections"] + index["Models"]]
    assert len(set(names)) == len(names)
    collections = {entry["Name"]: entry for entry in index["Collections"]}
    for collection in collections.values():
        assert (ROOT / collection["README"]).is_file()
        assert collection["Paper"]["URL"].startswith("https://") and collection["Paper"]["Title"]
    assert {model["In Collection"] for model in index["Models"]} == set(collections)
    for model in index["Models"]:
        assert (ROOT / model["Config"]).is_file()
        assert model["Results"] and all(r["Task"] == "Object Detection" for r in model["Results"])
        readme = ROOT / collections[model["In Collection"]]["README"]
        assert model["Config"] in {config for config, *_ in measured(readme)}


def test_iterations_and_batches_are_those_of_the_configs(index):
    for path in {model["Config"] for model in index["Models"]}:
        cfg = Config.fromfile(ROOT / path)
        expected = (cfg.train_cfg.max_iters, cfg.train_dataloader.batch_size)
        for model in index["Models"]:
            if model["Config"] == path:
                metadata = model["Metadata"]
                assert (metadata["Iterations"], metadata["Batch Size"]) == expected, model["Name"]


def test_a_figure_of_a_table_is_read_with_its_interval(tmp_path):
    (tmp_path / "README.md").write_text(
        "## Results\n\n| config | split | precision | F-score (95 %) | threshold, from |\n"
        "|---|---|---|---|---|\n| `a.py` | B (test) | 0.5 | 0.449 (0.258 to 0.586) | 0.9, A00 |\n"
    )
    ((before, rows),) = tables(tmp_path / "README.md")
    assert before == "## Results\n" and rows[0]["split"] == "B (test)"
    expected = {"Precision": 0.5, "F-score": 0.449, "F-score low": 0.258, "F-score high": 0.586}
    assert figures(rows[0]) == expected | {"Threshold": 0.9}

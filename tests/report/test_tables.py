"""Tables hold every figure, with the number that it sorts by."""

from mmdet_mitosis.report.tables import Cell, counts_table, figures_table, methods_table
from tests.evaluation.test_report import summary

FIGURES = summary()


def column(table, name: str) -> dict[str, Cell]:
    place = table.head.index(name)
    return {row[0].text: row[place] for row in [*table.rows, *table.foot]}


def test_figures_of_cases() -> None:
    table = figures_table("By case", "case", FIGURES["cases"], FIGURES, "test")
    assert column(table, "FP") == {
        "27": Cell("2", 2),
        "30": Cell("1", 1),
        "test, all": Cell("3", 3),
    }
    assert column(table, "F-score")["30"] == Cell("0.800", 0.8)
    assert "of them look-alikes" not in table.head


def test_look_alikes_have_a_column_where_they_are_labelled() -> None:
    figures = FIGURES | {"n_look_alikes": 1}
    cases = {
        "27": FIGURES["cases"]["27"] | {"n_look_alikes": 1},
        "30": FIGURES["cases"]["30"] | {"n_look_alikes": None},
    }
    table = figures_table("By case", "case", cases, figures, "test")
    assert column(table, "of them look-alikes") == {
        "27": Cell("1", 1),
        "30": Cell("not labelled"),
        "test, all": Cell("1", 1),
    }
    assert column(table, "FN")["27"] == Cell("2", 2)
    assert all(len(row) == len(table.head) for row in table.rows + table.foot)


def test_rules_of_matching() -> None:
    table = methods_table(FIGURES["by_method"])
    assert column(table, "FP")["paper"] == Cell("2", 2)
    assert list(column(table, "TP")) == ["optimal", "greedy", "paper", "midog"]


def test_counts() -> None:
    table = counts_table(FIGURES["counts"]["cases"])
    case = FIGURES["counts"]["cases"]["30"]
    assert column(table, "labelled")["30"] == Cell("2", 2)
    assert column(table, "predicted")["30"] == Cell("3", 3)
    assert column(table, "difference") == {"27": Cell("0", 0), "30": Cell("+1", 1)}
    assert column(table, "predicted per mm²")["30"].number == case["predicted_per_mm2"]
    assert column(table, "scaled score, predicted")["30"].number == case["predicted_score_scaled"]
    assert all(len(row) == len(table.head) for row in table.rows)

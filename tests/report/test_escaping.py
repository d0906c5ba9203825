"""Names and texts of the user's files cannot become elements, attributes or scripts."""

from pathlib import Path

import pytest

from mmdet_mitosis.cli import printable_lines
from mmdet_mitosis.report import write_report
from tests.report.runs import CONFIG, Page, make_run

HOSTILE = [
    '<script>alert(1)</script>\n"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "a\nb\r\n</td></table>",
    "{{ 7*7 }}{% include 'x' %}",
    "</script><script>alert(1)</script>",
    "--><!-- ]]>",
    "&lt;b&gt; \u202e \x1b[2J",
]


def rename(name: str, scanner: str | None = None):
    """Make every name of the annotations hostile."""

    def change(truth: dict) -> dict:
        for image in truth["images"]:
            if image["id"] < 3:
                image["case"] = name
                image["scanner"] = scanner or name
        return truth

    return change


def hostile_page(root: Path, name: str) -> str:
    texts = {"threshold_from": name, "checkpoint": name, "versions": {name: name}}
    work = make_run(root, change=rename(name), **texts)
    (work / "tiny.py").write_text(f"# {name}\n{CONFIG}", errors="replace")
    return write_report(work).read_text()


def test_all_at_once_with_plots(tmp_path: Path) -> None:
    name = " ".join(HOSTILE)
    tame, page = (
        Page(hostile_page(tmp_path / folder, text))
        for folder, text in (("tame", "tame"), ("hostile", name))
    )
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in tame.elements]


@pytest.mark.parametrize("name", HOSTILE)
def test_elements_are_those_of_the_same_run_with_tame_names(
    tmp_path: Path, no_plots: None, name: str
) -> None:
    tame = Page(hostile_page(tmp_path / "tame", "tame"))
    page = Page(hostile_page(tmp_path / "hostile", name))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in tame.elements]
    assert [set(attrs) for _, attrs in page.elements] == [set(attrs) for _, attrs in tame.elements]
    assert not [a for _, attrs in page.elements for a in attrs if a.startswith("on")]
    assert " ".join(printable_lines(name).split()) in page.text


def test_file_names_stay_text(tmp_path: Path, no_plots: None) -> None:
    name = '"><img src=x onerror=alert(1)>.tif'

    def change(truth: dict) -> dict:
        truth["images"][0]["file_name"] = name
        return truth

    page = Page(write_report(make_run(tmp_path, change=change)).read_text())
    assert f"case 01 {name} x 100, y 90 px" in page.text
    assert {img["src"][:23] for img in page.all("img")} == {"data:image/jpeg;base64,"}


def test_only_the_page_s_own_script_may_run(tmp_path: Path, no_plots: None) -> None:
    import hashlib
    from base64 import b64encode

    html = hostile_page(tmp_path, HOSTILE[0])
    script = html.split("<script>", 1)[1].split("</script>", 1)[0]
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html

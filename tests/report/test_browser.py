"""The page in a browser: it stands alone, sorts, shows every picture and fits the screen."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdet_mitosis.report import write_report
from tests.evaluation.fields import found
from tests.report.runs import make_run
from tests.report.test_escaping import HOSTILE, hostile_page

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"
)

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LONG = "a_very_long_name_of_a_field_that_is_not_broken_anywhere_" * 3
COUNTS = {"9": 9, "10": 10, "2": 2}
"""Mitoses of each case; as texts they sort otherwise than as numbers."""


def change(truth: dict) -> dict:
    """Give each field a case of its own, and one a long name."""
    for image, case in zip(truth["images"], COUNTS, strict=True):
        image["case"] = f"case {case}"
    truth["images"][0]["scanner"] = LONG
    return truth


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An ordinary page, one of hostile names, and one of a test that found nothing."""
    root = tmp_path_factory.mktemp("pages")
    points = [[(60.0 * i + 40, 60.0 * n) for i in range(n)] for n in COUNTS.values()]
    hits = [[(x, y, 0.9 - i / 50) for i, (x, y) in enumerate(row[:5])] for row in points]
    hits[0] += [(700, 500, 0.6), (700, 50, 0.55)]
    made = {
        "plain": make_run(
            root / "plain",
            mitoses=dict(enumerate(points, 1)),
            detections={i: found(*row) for i, row in enumerate(hits, 1)},
            change=change,
            checkpoint=LONG,
        ),
        "nothing": make_run(
            root / "nothing", mitoses={1: [], 2: []}, detections={}, images=False, log=False
        ),
    }
    found_pages = {name: write_report(work) for name, work in made.items()}
    hostile_page(root / "hostile", " ".join(HOSTILE))
    return found_pages | {"hostile": root / "hostile" / "work" / "test_report.html"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One headless Chromium, which the driver on this machine starts."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def show(browser, page: Path, width: int = 1400, scheme: str = "light") -> None:
    """Open a page in a window of a width, with no message left of an earlier one."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())


@pytest.mark.parametrize("name", ["plain", "hostile", "nothing"])
def test_page_opens_without_errors_and_without_the_network(browser, pages, name: str) -> None:
    show(browser, pages[name])
    assert browser.get_log("browser") == []
    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    asked = [url for url in asked if not url.startswith("data:")]
    assert asked == [pages[name].as_uri()]
    assert not [e for e in events if e["method"].startswith("Network.webSocket")]


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_every_picture_is_shown(browser, pages, name: str) -> None:
    show(browser, pages[name])
    widths = browser.execute_async_script(
        "const done = arguments[0], images = [...document.images];"
        "Promise.all(images.map((i) => i.decode().catch(() => 0)))"
        ".then(() => done(images.map((i) => [i.naturalWidth, i.clientWidth])));"
    )
    assert len(widths) == (23 if name == "plain" else 8)
    assert all(natural == 256 and 120 < shown <= 256 for natural, shown in widths)


@pytest.mark.parametrize("name", ["plain", "hostile", "nothing"])
@pytest.mark.parametrize("width", [390, 1400])
def test_page_fits_the_screen(browser, pages, name: str, width: int) -> None:
    show(browser, pages[name], width)
    for opened in ("", "open"):
        browser.execute_script(
            "for (const d of document.querySelectorAll('details')) d.open = arguments[0]", opened
        )
        wide, inner = browser.execute_script(
            "return [document.documentElement.scrollWidth, innerWidth]"
        )
        assert wide <= inner == width
    # What does not fit scrolls in a box of its own.
    over = browser.execute_script(
        "return [...document.querySelectorAll('table, img, svg, p, dd, figcaption')]"
        ".filter((e) => !e.closest('.scroll') && !e.closest('.plot svg'))"
        ".filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML)"
    )
    assert over == []


def luminance(browser, script: str) -> float:
    """Relative luminance of a colour that a script returns (WCAG 2)."""
    rgb = [float(v) / 255 for v in browser.execute_script(script)[4:-1].split(",")]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


STYLE = "return getComputedStyle(document.querySelector('{}')).{}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(browser, pages, scheme: str) -> None:
    show(browser, pages["plain"], scheme=scheme)
    ground = luminance(browser, STYLE.format("section", "backgroundColor"))
    assert (ground > 0.5) == (scheme == "light")
    assert browser.get_log("browser") == []
    for part, attribute in (
        ("section p", "color"),
        ("figcaption", "color"),
        (".small", "color"),
        (".headline .first dd", "color"),
        (".plot svg text", "fill"),
        ("tbody td", "color"),
        ("nav a", "color"),
    ):
        light, dark = sorted([luminance(browser, STYLE.format(part, attribute)), ground])[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5, part


ROWS = (
    "const t = [...document.querySelectorAll('table.sortable')]"
    ".find((t) => t.caption.textContent === arguments[0]);"
    "const h = [...t.tHead.rows[0].cells];"
    "const i = h.findIndex((c) => c.textContent.trim() === arguments[1]);"
)


def column(browser, table: str, name: str) -> list[str]:
    """Cells of a column, from above, without the row that sums up."""
    return browser.execute_script(
        ROWS + "return [...t.tBodies[0].rows].map((r) => r.cells[i].textContent.trim())",
        *(table, name),
    )


def head(browser, table: str, name: str):
    """The head of a column and its button."""
    return browser.execute_script(
        ROWS + "return [h[i], h[i].querySelector('button')]", *(table, name)
    )


@pytest.mark.parametrize(
    ("table", "name", "ascending"),
    [
        ("By case", "mitoses", ["2", "9", "10"]),
        ("By case", "case", ["case 2", "case 9", "case 10"]),
        ("By case", "recall", ["0.500", "0.556", "1.000"]),
        ("Counts by case", "difference", ["−5", "−2", "0"]),  # noqa: RUF001
    ],
)
def test_tables_sort_both_ways(browser, pages, table: str, name: str, ascending: list) -> None:
    show(browser, pages["plain"])
    cell, button = head(browser, table, name)
    foot = "return document.querySelector('tfoot').textContent"
    total = browser.execute_script(foot)
    browser.execute_script("arguments[0].click()", button)
    assert (column(browser, table, name), cell.get_attribute("aria-sort")) == (
        ascending,
        "ascending",
    )
    browser.execute_script("arguments[0].click()", button)
    assert (column(browser, table, name), cell.get_attribute("aria-sort")) == (
        ascending[::-1],
        "descending",
    )
    assert browser.execute_script(foot) == total


@pytest.mark.parametrize("key", ["\ue007", " "], ids=["enter", "space"])
def test_tables_sort_by_keyboard(browser, pages, key: str) -> None:
    show(browser, pages["plain"])
    cell, button = head(browser, "By case", "mitoses")
    button.send_keys(key)
    assert column(browser, "By case", "mitoses") == ["2", "9", "10"]
    other, next_button = head(browser, "By case", "TP")
    button.send_keys("\ue004")  # Tab leads to the next head
    assert browser.switch_to.active_element == next_button
    next_button.send_keys(key)
    assert other.get_attribute("aria-sort") == "ascending"
    assert cell.get_attribute("aria-sort") is None

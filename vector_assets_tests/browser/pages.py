"""What a person does and sees on Dagster's pages."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:  # it may be missing; then the tests are skipped
    from playwright.sync_api import FloatRect, Locator, Page

PICTURES = "VECTOR_ASSETS_PICTURES"
"""Names the directory for pictures; unset, none is taken."""

MILLISECONDS = 60_000
"""For a page to show what it has; a run may take longer."""

_ASSET = "/assets/silver/vectorized_chunks"

_NEWEST_BATCH = r"""
than => {
    const shown = [...document.body.innerText.matchAll(/progress\s+batch (\d+)\/(\d+)/g)];
    const newest = shown.map(found => [Number(found[1]), Number(found[2])]).sort((a, b) => a[0] - b[0]).pop();
    return newest && newest[0] > than ? newest : null;
}
"""

# An arrow's path starts a little behind the right side of one box, and ends a little before the left side of the next.
_ARROWS = """
() => {
    const boxes = [...document.querySelectorAll("svg foreignObject")].map(box => ({
        name: box.querySelector("[data-tooltip]")?.dataset.tooltip,
        left: Number(box.getAttribute("x")),
        right: Number(box.getAttribute("x")) + Number(box.getAttribute("width")),
        top: Number(box.getAttribute("y")),
        bottom: Number(box.getAttribute("y")) + Number(box.getAttribute("height")),
    })).filter(box => box.name);
    return [...document.querySelectorAll("svg path[marker-end]")].map(arrow => {
        const length = arrow.getTotalLength();
        const near = (side, {x, y}) =>
            boxes.find(box => Math.abs(box[side] - x) < 20 && box.top < y && y < box.bottom)?.name;
        return [near("right", arrow.getPointAtLength(0)), near("left", arrow.getPointAtLength(length))];
    });
}
"""


def open_the_asset(page: "Page") -> None:
    """From the page of all assets."""
    page.goto("/assets")
    page.get_by_role("link", name="vectorized_chunks").first.click()


def open_the_check(page: "Page", name: str) -> None:
    """What it has said last, among the asset's checks."""
    page.goto(f"{_ASSET}?view=checks")
    page.get_by_text(name, exact=True).first.click()
    page.get_by_text("Latest execution", exact=True).wait_for()


def choose_partitions(page: "Page", words: str, choice: str) -> "Locator":
    """Press "Materialize", type the words into the filter and tick the choice. Gives the dialog, its list open."""
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog").filter(has_text="Partition selection")
    dialog.get_by_text("Select a partition or create one").click()
    page.get_by_placeholder("Filter partitions").fill(words)
    page.get_by_role("menuitem").filter(has_text=choice).click()
    return dialog


def configure(page: "Page", dialog: "Locator", config: str) -> None:
    """Type the asset's run config into the dialog's editor."""
    _close_the_list(page)
    dialog.get_by_text("Config", exact=True).click()
    dialog.get_by_role("button", name="Add config").click()
    page.locator(".CodeMirror").click()
    page.keyboard.insert_text(f"ops: {{silver__vectorized_chunks: {{config: {{{config}}}}}}}")
    page.get_by_role("button", name="Save config").click()


def launch(page: "Page", dialog: "Locator") -> None:
    """Press "Launch ...", and follow the note that then appears, to the page of the run or the backfill."""
    _close_the_list(page)
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    page.get_by_role("link", name="View", exact=True).click()


def _close_the_list(page: "Page") -> None:
    words = page.get_by_placeholder("Filter partitions")
    if words.is_visible():
        words.press("Escape")


def newer_batch(page: "Page", than: int) -> tuple[int, int]:
    """Look at a run's page until it shows a later batch: its number, and how many there are."""
    newest = page.wait_for_function(_NEWEST_BATCH, arg=than, polling=200, timeout=3 * MILLISECONDS).json_value()
    return newest[0], newest[1]


def enlarge_the_log(page: "Page") -> None:
    """On a run's page; the diagram of its steps gives way."""
    page.get_by_role("button", name="Levels").locator("xpath=following::button[1]").click()


def terminate(page: "Page") -> None:
    """On the page of a run: press the button, and again in the dialog that asks."""
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Terminate")).click()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()


def await_end(page: "Page", words: str) -> None:
    """Look at the page of a run or a backfill until it says so."""
    page.get_by_text(words, exact=True).first.wait_for(timeout=3 * MILLISECONDS)


def await_run(page: "Page", key: str, job: str) -> None:
    """Look at the list of runs until it shows one of the job and the partition that has succeeded."""
    filters = (f"tag:dagster/partition={key}", f"job:{job}", "status:SUCCESS")
    page.goto(f"/runs?{urlencode({f'q[{place}]': words for place, words in enumerate(filters)})}")
    _runs(page).first.wait_for(timeout=5 * MILLISECONDS)  # other partitions may be embedded first


def open_the_run_of_the_backfill(page: "Page") -> None:
    """From the page of a backfill."""
    page.goto(f"{page.url.partition('?')[0]}?tab=runs")
    _runs(page).first.click()


def _runs(page: "Page") -> "Locator":
    """The links to runs in a list of them."""
    return page.locator("a").filter(has_text=re.compile("^[0-9a-f]{8}$"))


def open_partition(page: "Page", key: str) -> None:
    """Of the asset."""
    page.goto(f"{_ASSET}?view=partitions&partition={quote(key, safe='')}")
    page.get_by_text(re.compile("^View all historical events")).wait_for()


def await_colour(page: "Page", key: str, colour: str) -> None:
    """Of the dot beside the partition in the list: gray, blue, green or red."""
    coloured(page.locator("[class*=assetListRow]").filter(has_text=key), colour).wait_for()


def read_the_failure(page: "Page") -> "Locator":
    """From a failed partition's page: follow the link to its run and see what that says. Gives the message."""
    page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).click()
    page.get_by_placeholder("Filter…").fill("type:RUN_FAILURE")
    coloured(page.locator("body"), "red").and_(page.locator(".chart-element")).wait_for()
    return page.get_by_text("Execution of run for")


def coloured(inside: "Locator", colour: str) -> "Locator":
    """What has the colour, inside of something."""
    return inside.locator(f"[style*='--color-accent-{colour}']")


def metadata(page: "Page") -> Mapping[str, str]:
    """The table on a partition's page."""
    page.get_by_role("cell", name="coverage_percent").wait_for()
    rows = [row.get_by_role("cell").all_inner_texts() for row in page.get_by_role("row").all()]
    return {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) > 1}


def lineage(page: "Page") -> list[tuple[str, str]]:
    """Open the graph of all assets: which arrow leads from where to where."""
    page.goto("/asset-groups")
    page.get_by_text("100% filled").nth(1).wait_for()
    return [(start, end) for start, end in page.evaluate(_ARROWS)]


def picture(page: "Page", name: str, clip: "FloatRect | None" = None) -> None:
    """Keep a picture of the page, or of a part of it, if a directory for that is named."""
    if os.environ.get(PICTURES):
        page.mouse.move(0, 0)
        page.get_by_text(re.compile("^(Launched run|Created backfill)")).wait_for(state="hidden")
        page.screenshot(path=Path(os.environ[PICTURES]) / name, clip=clip, animations="disabled")


def part(of: "Locator", without: float = 0) -> "FloatRect":
    """Where it is on the page, without so many pixels at each side."""
    box = of.bounding_box()
    assert box is not None
    width, height = box["width"] - 2 * without, box["height"] - 2 * without
    return {"x": box["x"] + without, "y": box["y"] + without, "width": width, "height": height}

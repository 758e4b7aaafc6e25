"""A `vector-assets dev` with filings, and a headless Chromium that looks at its pages."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.chromium_text import find_chromium

from .pages import MILLISECONDS
from .server import CHUNKS, LANDED, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Without a graphics card, each step of an animation is drawn by the processor: a spinner takes a whole core, and the
# diagram of a run at work a part of one, which is drawn anew sixty times a second.
_NO_ANIMATIONS = """
window.requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), 200);
window.cancelAnimationFrame = clearTimeout;
const style = document.createElement("style");
style.textContent = "*, *::before, *::after { animation: none !important; transition: none !important; }";
addEventListener("DOMContentLoaded", () => document.head.append(style));
"""


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The one that the system has; none is downloaded."""
    library = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
    program = find_chromium()
    if program is None:
        pytest.skip("chromium is missing: apt-get install chromium-headless-shell fonts-noto-cjk")
    with library.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(browser: "Browser", converted_models: Path) -> Iterator[Server]:
    """One for the whole file; where there is no browser, none."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), converted_models) as server:
        server.stop_automation()
        server.ingest(CHUNKS.keys() - {LANDED})
        yield server


@pytest.fixture
def page(browser: "Browser", server: Server) -> "Iterator[Page]":
    """Of somebody who has never been there, but for folding the navigation."""
    with browser.new_context(base_url=server.address, viewport={"width": 1440, "height": 900}) as context:
        context.add_init_script("localStorage.setItem('dagster-nav-collapsed', 'true')")
        context.add_init_script(_NO_ANIMATIONS)
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        yield page

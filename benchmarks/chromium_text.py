"""What Chromium shows of a page, with what people see and `innerText` leaves out, to compare texts with."""

import re
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

# Opens what can be opened, and writes numbers of lists and values of controls into the page as text.
_SHOWN = (Path(__file__).parent / "shown_text.js").read_text()
_MARKS = re.compile("[\\^_“”☒☐•◦▪]")
_TIMEOUT_MILLISECONDS = 10_000


class ChromiumText:
    """The system's Chromium, which shows one page after another."""

    def __enter__(self) -> Self:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._playwright.stop()

    def shown(self, source: str) -> str:
        """Return the text that is shown of a page. A browser that ended is started again."""
        from playwright.sync_api import Error

        try:
            return self._shown(source)
        except Error:
            self._open()
            return self._shown(source)

    def _shown(self, source: str) -> str:
        self._page.set_content(source)
        return str(self._page.evaluate(_SHOWN))

    def _open(self) -> None:
        browser = self._playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        self._page = browser.new_page()
        self._page.set_default_timeout(_TIMEOUT_MILLISECONDS)


def find_chromium() -> str | None:
    """Find the system's Chromium: the one without windows, which takes half the time, or else the whole one."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def compare(shown: str, found: str) -> str:
    """Compare two texts without what readers add: say `equal`, `lost` or, where words run together, `joined`."""
    (letters, ends), (found_letters, found_ends) = _words(shown), _words(found)
    if letters != found_letters:
        return "lost"
    return "joined" if ends - found_ends else "equal"


def _words(text: str) -> tuple[str, set[int]]:
    """Return the letters without spaces and marks, and where words end among them."""
    words = re.sub("[()]", " ", _MARKS.sub("", text)).split()
    ends, end = set[int](), 0
    for word in words:
        end += len(word)
        ends.add(end)
    return "".join(words), ends

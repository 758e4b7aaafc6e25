"""Pages are read as Chromium shows them. `benchmarks/reading_fuzz.py` compares thousands."""

from benchmarks.chromium_text import ChromiumText
from benchmarks.reading_fuzz import page_outcomes


def test_generated_pages() -> None:
    """Sixty pages, well-formed or not: no word is lost or moved, no figure changed, no two words joined."""
    with ChromiumText() as chromium:
        assert {outcome for _, outcome in page_outcomes(range(1, 61), chromium)} == {"equal"}

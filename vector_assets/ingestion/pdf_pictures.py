"""Pages of a PDF that are pictures: what is written in them is not in the text layer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfObject, PdfPage

# A stamp on a scan has less text: its page, a case number, a date.
_MIN_CHARACTERS = 100
# A scan covers its page; a logo or a signature does not.
_MIN_COVERED = 0.5
# Text whose letters were turned into lines has several for each letter. A diagram without any word has fewer.
_MIN_PATHS = 300


def is_picture(page: "PdfPage", text: str) -> bool:
    """Return whether the page shows a picture, or letters drawn as lines, and has next to no text beside it."""
    from pypdfium2 import raw

    if sum(not character.isspace() for character in text[: 10 * _MIN_CHARACTERS]) >= _MIN_CHARACTERS:
        return False
    covered, paths = 0.0, 0
    for shown in page.get_objects(max_depth=1):
        if shown.type == raw.FPDF_PAGEOBJ_IMAGE or (
            shown.type == raw.FPDF_PAGEOBJ_FORM and _holds_picture(page, shown)
        ):
            left, bottom, right, top = shown.get_bounds()
            covered += max(0.0, right - left) * max(0.0, top - bottom)
        paths += shown.type == raw.FPDF_PAGEOBJ_PATH
    width, height = page.get_size()
    return covered >= _MIN_COVERED * width * height > 0 or paths >= _MIN_PATHS


def _holds_picture(page: "PdfPage", form: "PdfObject") -> bool:
    from pypdfium2 import raw

    return any(True for _ in page.get_objects([raw.FPDF_PAGEOBJ_IMAGE], max_depth=4, form=form, level=1))

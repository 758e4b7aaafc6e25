"""What was typed onto the pages of a PDF: the values of form fields, typed text, stamps and notes.

They are no part of a page's content. Each is put into the page's text beside the words where a viewer shows it.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .pdf_boxes import Box, Typed, merged
from .pdf_raised_figures import with_marked_figures

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

# The field shows stars.
_PASSWORD_FLAG = 1 << 13


class ShownPage(NamedTuple):
    """The text of a page, and the number of files that are attached to it."""

    text: str
    attached: int = 0


@dataclass(frozen=True)
class _Annotation:
    """What is read of one annotation. `field` is the kind of a form's field; -1 for other annotations."""

    subtype: int
    box: Box
    field: int
    value: str
    is_checked: bool = False
    is_secret: bool = False


def page_with_annotations(pdf: "PdfDocument", page: "PdfPage", number: int) -> ShownPage:
    """Return the page's text, with the text of its annotations where there are any."""
    from pypdfium2 import raw

    text_page = page.get_textpage()
    try:
        count = raw.FPDFPage_GetAnnotCount(page)
        found = list(_annotations(pdf, page, count)) if count > 0 else []
        attached = sum(item.subtype == raw.FPDF_ANNOT_FILEATTACHMENT for item in found)
        typed = _typed_texts(pdf, number, page, text_page, found) if found else []
        text = merged(text_page, typed) if typed else _text(page, text_page)
    finally:
        text_page.close()
    return ShownPage(text, attached)


def _text(page: "PdfPage", text_page: "PdfTextPage") -> str:
    # PDFium's text within bounds lacks some breaks beside words of one letter, on turned pages most of all. Its list of
    # characters has them, and characters that lie outside of the page.
    listed, bounded = str(text_page.get_text_range()), str(text_page.get_text_bounded())
    has_all_breaks = page.get_rotation() or _squeezed(listed) == _squeezed(bounded)
    return with_marked_figures(listed if has_all_breaks else bounded, listed, text_page)


def _annotations(pdf: "PdfDocument", page: "PdfPage", count: int) -> Iterator[_Annotation]:
    """Yield the annotations that a viewer shows, links and pop-up windows aside."""
    from pypdfium2 import raw

    for number in range(count):
        handle = raw.FPDFPage_GetAnnot(page, number)
        if not handle:
            continue
        try:
            subtype = raw.FPDFAnnot_GetSubtype(handle)
            is_hidden = raw.FPDFAnnot_GetFlags(handle) & (raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW)
            if not is_hidden and subtype not in {raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP}:
                yield _annotation(pdf.formenv, handle, subtype)
        finally:
            raw.FPDFPage_CloseAnnot(handle)


def _annotation(form: Any, handle: Any, subtype: int) -> _Annotation:
    from pypdfium2 import raw

    rectangle = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(handle, rectangle)
    box = Box(
        min(rectangle.left, rectangle.right),
        min(rectangle.bottom, rectangle.top),
        max(rectangle.left, rectangle.right),
        max(rectangle.bottom, rectangle.top),
    )
    if subtype != raw.FPDF_ANNOT_WIDGET or not form:
        value = _string(lambda buffer, size: raw.FPDFAnnot_GetStringValue(handle, b"Contents", buffer, size))
        return _Annotation(subtype, box, -1, value)
    kind = raw.FPDFAnnot_GetFormFieldType(form, handle)
    flags = raw.FPDFAnnot_GetFormFieldFlags(form, handle)
    is_secret = kind == raw.FPDF_FORMFIELD_TEXTFIELD and bool(flags & _PASSWORD_FLAG)
    value = _string(lambda buffer, size: raw.FPDFAnnot_GetFormFieldValue(form, handle, buffer, size))
    return _Annotation(subtype, box, kind, value, bool(raw.FPDFAnnot_IsChecked(form, handle)), is_secret)


def _string(get: Callable[[Any, int], int]) -> str:
    """Call a function of PDFium that writes UTF-16 into a buffer and returns the number of bytes."""
    from pypdfium2 import raw

    size = get(None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


def _typed_texts(
    pdf: "PdfDocument", number: int, page: "PdfPage", text_page: "PdfTextPage", found: Sequence[_Annotation]
) -> list[Typed]:
    """Return the text of each annotation: what its box shows, or its value where the viewer draws the box itself."""
    from pypdfium2 import raw

    marks = {raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON}
    typed = [Typed("☒" if item.is_checked else "☐", item.box, is_mark=True) for item in found if item.field in marks]
    others = [item for item in found if item.field not in marks]
    if not others:
        return typed
    base = [text_page.get_text_bounded(*item.box) for item in others]
    # The drawn boxes become part of the content of the page when it is loaded again.
    raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
    flat_page = pdf[number]
    flat_text = flat_page.get_textpage()
    try:
        drawn = [flat_text.get_text_bounded(*item.box) for item in others]
    finally:
        flat_text.close()
        flat_page.close()
    for item, before, after in zip(others, base, drawn, strict=True):
        typed += _texts_of(item, before, after)
    return typed


def _texts_of(item: _Annotation, before: str, after: str) -> Iterator[Typed]:
    from pypdfium2 import raw

    drawn = after.strip() if _squeezed(after) != _squeezed(before) else ""
    if item.is_secret:
        return
    if item.field >= 0 or item.subtype == raw.FPDF_ANNOT_FREETEXT:
        # What is drawn of a list are all the values among which one was chosen.
        shown = "" if item.field == raw.FPDF_FORMFIELD_LISTBOX and item.value else drawn
        if text := _chosen(item.value.strip(), shown, before):
            yield Typed(text, item.box)
        return
    # A stamp shows words. What lies in the box of a mark or of a note's icon belongs to others.
    words = drawn if item.subtype in {raw.FPDF_ANNOT_STAMP, raw.FPDF_ANNOT_WATERMARK, raw.FPDF_ANNOT_REDACT} else ""
    if words:
        yield Typed(words, item.box)
    note = item.value.strip()
    if note and item.subtype != raw.FPDF_ANNOT_FILEATTACHMENT and _squeezed(note) not in _squeezed(words):
        yield Typed(f"[{note}]", item.box)


def _chosen(value: str, drawn: str, before: str) -> str:
    """Choose between a field's value and what is drawn of it, which may be formatted (1,234.50) or incomplete."""
    if not drawn or not value:
        return value or drawn
    return value if before.strip() or _squeezed(drawn) in _squeezed(value) else drawn


def _squeezed(text: str) -> str:
    return "".join(text.split())

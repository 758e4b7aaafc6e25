"""What CSS says about the elements of a page, as far as it decides which text is shown and where lines end.

Browsers' own style sheet, the page's `<style>` elements and the `style` attributes are heeded; other files are not.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from turbohtml import Document, Element

Declarations = Mapping[str, str]
"""The values of some properties, in lower case."""

_BLOCKS = [
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div", "dl",
    "dt", "fieldset", "figcaption", "footer", "form", "frameset", "header", "hgroup", "hr", "html", "legend",
    "listing", "main", "menu", "nav", "ol", "optgroup", "option", "plaintext", "pre", "search", "section", "select",
    "summary", "tbody", "tfoot", "thead", "ul", "xmp", "caption"
]  # fmt: skip
_PARAGRAPHS = ["p", "figure", "table", "h1", "h2", "h3", "h4", "h5", "h6"]
_HIDDEN = [
    "area", "audio", "base", "basefont", "canvas", "colgroup", "datalist", "embed", "frame", "head", "iframe",
    "link", "meta", "meter", "noembed", "noframes", "noscript", "param", "progress", "rp", "script", "source",
    "style", "template", "title", "track", "video", "annotation", "annotation-xml"
]  # fmt: skip
_DISPLAYS = {
    **dict.fromkeys(_BLOCKS, "block"),
    **dict.fromkeys(_PARAGRAPHS, "block"),
    **dict.fromkeys(_HIDDEN, "none"),
    "li": "list-item",
    "tr": "table-row",
    "td": "table-cell",
    "th": "table-cell",
    "button": "inline-block",
    "input": "inline-block",
    "textarea": "inline-block",
    "marquee": "inline-block",
}
PARAGRAPHS = frozenset(_PARAGRAPHS)
"""Elements that are parted from their neighbors by an empty line."""
CONTROLS = frozenset(("button", "input", "textarea", "select", "option"))
"""Elements that show their text in the letter case in which it was typed."""
PREFORMATTED = frozenset(("pre", "listing", "plaintext", "xmp", "textarea"))
LIST_STYLES = {"ul": "disc", "dir": "disc", "menu": "disc", "ol": "decimal"}
_SHIFTS = {"sup": "super", "sub": "sub"}

_PROPERTIES = {
    "display", "visibility", "white-space", "white-space-collapse", "text-transform", "float", "position",
    "vertical-align", "top", "bottom", "list-style", "list-style-type", "width", "min-width", "margin",
    "margin-left", "margin-right", "padding", "padding-left", "padding-right", "content-visibility",
}  # fmt: skip
# Selectors of these match at the moment no element, or only a part of one.
_DYNAMIC = re.compile(r"::|:(?:hover|focus|active|visited|target|before|after|first-line|first-letter|checked)\b")
_MEDIA_FEATURE = re.compile(r"\(\s*(min|max)-width\s*:\s*([\d.]+)(px|em|rem)?\s*\)")
# The width of the window in which a page is looked at. It is usual on desktops.
_WINDOW_WIDTH = 1280
_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_WIDTHS = ("width", "min-width", "margin", "margin-left", "margin-right", "padding", "padding-left", "padding-right")
_TABLE_BLOCKS = [f"table{part}" for part in ("", "-row-group", "-header-group", "-footer-group", "-caption")]
_KINDS = {
    **{kind: kind for kind in ("none", "contents", "list-item", "table-row", "table-cell", "inline-block")},
    **dict.fromkeys(("inline-flex", "inline-grid", "inline-table"), "inline-block"),
    **dict.fromkeys(("block", "flow-root", "flex", "grid", *_TABLE_BLOCKS), "block"),
}
_LENGTH = re.compile(r"[\d.]+")
# Letters lie closer to one another than this many pixels, points or characters.
_GAP_LENGTH = 2.0


class PageStyles:
    """Finds the declarations that hold for each element of one page."""

    def __init__(self, page: "Document") -> None:
        self._of_sheets = _styles_of_sheets(page)

    def of(self, element: "Element") -> Declarations:
        """Return what style sheets and the element's own attribute declare, the winning values."""
        inline = element.attr("style")
        own = parse_declarations(inline) if inline else _NOTHING
        sheets = self._of_sheets.get(element, _NOTHING) if self._of_sheets else _NOTHING
        if sheets is _NOTHING and not own.important:
            return own.normal
        return {**sheets.normal, **own.normal, **sheets.important, **own.important}


class Style(NamedTuple):
    """The declarations of a rule or an attribute, the important ones apart."""

    normal: Declarations
    important: Declarations


_NOTHING = Style({}, {})


@lru_cache(maxsize=4096)
def parse_declarations(text: str) -> Style:
    """Read the text of a style attribute or of a rule's block. Properties that do not matter here are left out."""
    from turbohtml.cssom import StyleDeclaration

    style = StyleDeclaration.parse(text)
    values = {name: style[name].strip().lower() for name in style if name in _PROPERTIES}
    important = {name: value for name, value in values.items() if style.important(name)}
    return Style({name: value for name, value in values.items() if name not in important}, important)


def _styles_of_sheets(page: "Document") -> dict["Element", Style]:
    """Map each element that a rule of the page matches to the declarations that win among the rules."""
    from turbohtml import SelectorSyntaxError

    found: dict[Element, list[tuple[tuple[int, int, int], int, Style]]] = {}
    for order, (selector, style) in enumerate(_rules(page)):
        try:
            matched = page.select(selector)
        except SelectorSyntaxError:
            continue
        weight = _specificity(selector)
        for element in matched:
            found.setdefault(element, []).append((weight, order, style))
    return {element: _winning(items) for element, items in found.items()}


def _winning(items: list[tuple[tuple[int, int, int], int, Style]]) -> Style:
    normal: dict[str, str] = {}
    important: dict[str, str] = {}
    for _, _, style in sorted(items, key=lambda item: item[:2]):
        normal.update(style.normal)
        important.update(style.important)
    return Style(normal, important)


def _rules(page: "Document") -> Iterator[tuple[str, Style]]:
    """Yield each selector of the page's style sheets with its declarations, if they matter here."""
    from turbohtml.cssom import StyleSheet

    for sheet in page.select("style"):
        if not _media_applies(sheet.attr("media") or ""):
            continue
        for rule in StyleSheet("".join(_unconditional(_COMMENT.sub(" ", sheet.text)))).rules:
            style = parse_declarations(rule.style.text)
            if style.normal or style.important:
                yield from ((one, style) for one in _selectors(rule.selector_text) if not _DYNAMIC.search(one))


def _unconditional(css: str) -> Iterator[str]:
    """Yield the rules of a style sheet, those of conditions that hold included (`@media`, `@supports`, `@layer`)."""
    at = 0
    while (start := css.find("@", at)) >= 0:
        yield css[at:start]
        opened, ended = css.find("{", start), css.find(";", start)
        if opened < 0 or 0 <= ended < opened:
            at = ended + 1 if ended >= 0 else len(css)
            continue
        at = _end_of_block(css, opened)
        name, _, condition = css[start + 1 : opened].strip().partition(" ")
        if name.lower() in {"supports", "layer"} or (name.lower() == "media" and _media_applies(condition)):
            yield from _unconditional(css[opened + 1 : at - 1])
    yield css[at:]


def _end_of_block(css: str, opened: int) -> int:
    depth = 0
    for brace in re.compile("[{}]").finditer(css, opened):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(css) + 1


def _media_applies(queries: str) -> bool:
    """Return whether a list of media queries holds for a desktop's screen."""
    return not queries.strip() or any(_query_applies(query) for query in queries.lower().split(","))


def _query_applies(query: str) -> bool:
    words = _MEDIA_FEATURE.sub(" ", query).replace("only ", " ").replace(" and ", " ").split()
    if any(word not in {"screen", "all", "and"} for word in words):
        return False
    for kind, number, unit in _MEDIA_FEATURE.findall(query):
        width = float(number) * (1 if unit in {"", "px"} else 16)
        if (width > _WINDOW_WIDTH) if kind == "min" else (width < _WINDOW_WIDTH):
            return False
    return True


def _selectors(text: str) -> list[str]:
    """Split a list of selectors at its commas, except those in brackets."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [part for part in (*parts, text[start:].strip()) if part]


def _specificity(selector: str) -> tuple[int, int, int]:
    """Count ids, classes with attributes and pseudo-classes, and types."""
    ids = len(re.findall(r"#[\w-]", selector))
    classes = len(re.findall(r"\.[A-Za-z_-]|\[|:(?!not\b|is\b|where\b)[a-z]", selector))
    types = len(re.findall(r"(?:^|[\s>+~(])[A-Za-z]", selector))
    return ids, classes, types


def display_of(element: "Element", declared: Declarations, in_flex: bool) -> str:
    """Return how the element is displayed, in CSS's words; all that begins and ends a line is `block`.

    It is `empty` where only the element's place is shown.
    """
    value = declared.get("display", "")
    if not value or value in {"revert", "revert-layer", "inherit"}:
        value = _DISPLAYS.get(element.tag, "inline") if element.attr("hidden", "shown") == "shown" else "none"
    display = _KINDS.get(value, "inline")
    is_box = in_flex or element.tag == "legend" or (declared and _is_taken_out(declared))
    if is_box and display in {"inline", "inline-block"}:
        display = "block"
    if display == "list-item" and getattr(element.parent, "tag", "") in {"ruby", "rt"}:
        display = "inline-block"  # as all that lies in the line of a ruby text
    if declared and display not in {"inline", "none"} and declared.get("content-visibility") == "hidden":
        return "empty"
    return display


def _is_taken_out(declared: Declarations) -> bool:
    """Return whether the element lies beside the lines of text, so that it has lines of its own."""
    return declared.get("float") in {"left", "right", "inline-start", "inline-end"} or declared.get("position") in {
        "absolute",
        "fixed",
    }


def is_flex(declared: Declarations) -> bool:
    """Return whether the children are laid out as boxes, one beside another."""
    return declared.get("display", "").removeprefix("inline-") in {"flex", "grid"}


def script_of(element: "Element", declared: Declarations) -> str:
    """Return `^` for a superscript, `_` for a subscript, or nothing."""
    shift = declared.get("vertical-align") or _SHIFTS.get(element.tag, "")
    if shift in {"super", "text-top"} or _is_positive(shift):
        return "^"
    if shift in {"sub", "text-bottom"} or shift.startswith("-"):
        return "_"
    if declared.get("position") == "relative":
        top, bottom = declared.get("top", ""), declared.get("bottom", "")
        if top.startswith("-") or _is_positive(bottom):
            return "^"
        if bottom.startswith("-") or _is_positive(top):
            return "_"
    return ""


def _is_positive(length: str) -> bool:
    number = _LENGTH.match(length)
    return number is not None and any(digit in "123456789" for digit in number[0])


def is_wide(declared: Declarations) -> bool:
    """Return whether the element has a width or a margin, so that one sees a gap between it and its neighbors."""
    return any(_is_gap(declared[name]) for name in _WIDTHS if name in declared)


def _is_gap(value: str) -> bool:
    return any(float(number) > _GAP_LENGTH for number in re.findall(r"\d+(?:\.\d+)?", value)[:4])

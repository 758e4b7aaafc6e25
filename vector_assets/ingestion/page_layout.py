"""The text of a page's elements, in the order and with the line ends that a browser gives them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from .list_markers import ListCounter, list_style_of_type, marker_of, whole_number
from .page_styles import (
    CONTROLS,
    LIST_STYLES,
    PARAGRAPHS,
    PREFORMATTED,
    Declarations,
    PageStyles,
    display_of,
    is_flex,
    is_wide,
    script_of,
)
from .text_flow import GAP, PICTURE, TextFlow

if TYPE_CHECKING:
    from turbohtml import Element, Node, Text

_FIRST_LETTER = re.compile(rf"(?<![\w'’{PICTURE}])\w|(?<=[\u2e80-\u9fff])[a-z]")
_LINE_ENDS = re.compile(r" *\n+ *")
# Heads of columns and labels of rows are shorter than this.
_MAX_JOINED_CHARACTERS = 120
# Their values are not shown, or stars are.
_SILENT_INPUTS = {"hidden", "password", "file", "image", "range", "color"}
_LISTS = {"ol", "ul", "menu", "dir"}
_SVG_TEXT = {"text": "block", "title": "none", "desc": "none", "defs": "none", "metadata": "none", "symbol": "none"}
_MATH_TOKENS = {"mi", "mn", "mo", "ms", "mtext"}


@dataclass(frozen=True, slots=True)
class _Inherited:
    """What an element passes on to its children."""

    white_space: str = "normal"
    is_visible: bool = True
    transform: str = "none"
    list_style: str = "disc"
    in_flex: bool = False


@dataclass(slots=True)
class _Open:
    """An element whose children are being laid out."""

    children: "Iterator[Node]"
    inherited: _Inherited
    close: Callable[[], None] | None = None


@dataclass(slots=True)
class _Row:
    """A row of a table. Its flow takes what lies between its cells."""

    flow: TextFlow = field(default_factory=TextFlow)
    cells: list[str] = field(default_factory=list)

    def add(self, flow: TextFlow) -> None:
        """Add what a flow holds as a cell, unless it is empty."""
        if text := flow.text().strip():
            self.cells.append(text)


@dataclass
class PageLayout:
    """Lays out the elements below one. They may be nested as deep as they like, for none is a call of a function."""

    styles: PageStyles
    _flows: list[TextFlow] = field(default_factory=lambda: [TextFlow()])
    _rows: list[_Row] = field(default_factory=list)
    _lists: list[ListCounter] = field(default_factory=list)

    def text_of(self, root: "Node") -> str:
        """Return the text that is shown below a node."""
        from turbohtml import Element, Text

        opened = [_Open(iter(root.children), _Inherited())]
        while opened:
            current = opened[-1]
            node = next(current.children, None)
            if node is None:
                if current.close:
                    current.close()
                opened.pop()
            elif isinstance(node, Text):
                self._write(node, current.inherited)
            elif isinstance(node, Element) and (child := self._open(node, current.inherited)):
                opened.append(child)
        return self._flow.text()

    @property
    def _flow(self) -> TextFlow:
        return self._flows[-1]

    def _write(self, node: "Text", inherited: _Inherited) -> None:
        if not inherited.is_visible:
            return
        text = _in_letter_case(node.data, inherited.transform, self._flow.before)
        if inherited.white_space == "normal":
            self._flow.write(text)
        elif inherited.white_space == "pre":
            self._flow.write_lines(text)
        else:
            for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
                if number:
                    self._flow.break_line()
                self._flow.write(line)

    def _open(self, element: "Element", inherited: _Inherited) -> _Open | None:
        """Begin an element, and return what is needed for its children; None where none of them is shown."""
        tag = element.tag
        if tag == "br":
            if inherited.is_visible:
                self._flow.break_line()
            return None
        declared = self.styles.of(element)
        display = _foreign_display(element) or display_of(element, declared, inherited.in_flex)
        if display == "none" or (tag == "dialog" and "open" not in element.attrs and "display" not in declared):
            return None
        if display == "empty":
            self._flow.begin_block()
            return None
        passed_on = _passed_on(element, declared, inherited)
        if tag == "img":
            self._flow.pass_picture()
        if tag == "input":
            self._write_input(element, passed_on)
            return None
        return _Open(_children(element), passed_on, self._begin(element, declared, display, passed_on))

    def _begin(
        self, element: "Element", declared: Declarations, display: str, inherited: _Inherited
    ) -> Callable[[], None] | None:
        if element.tag in PARAGRAPHS and display != "contents":
            return self._begin_block(element, display, inherited)
        if display == "inline":
            return self._begin_inline(element, declared)
        if display == "table-cell" and self._rows and self._rows[-1].flow is self._flow:
            return self._begin_cell()
        if display == "table-row":
            return self._begin_row()
        if display in {"inline-block", "table-cell"}:
            return self._begin_box(element, display, declared)
        if display == "contents":
            return None
        return self._begin_block(element, display, inherited)

    def _begin_block(self, element: "Element", display: str, inherited: _Inherited) -> Callable[[], None]:
        breaks = 2 if element.tag in PARAGRAPHS else 1
        self._flow.begin_block(breaks)
        is_item = display == "list-item" and element.tag != "summary"  # which no list counts
        marker = self._marker_of(element, inherited) if is_item else ""
        if marker:
            self._flow.mark_item(marker)
        is_list = element.tag in _LISTS
        if is_list:
            self._lists.append(_counter_of(element))

        def end() -> None:
            if is_list:
                self._lists.pop()
            if marker:
                self._flow.drop_marker(marker)
            self._flow.begin_block(breaks)
            if element.tag == "select":
                self._flow.pass_picture()

        return end

    def _marker_of(self, item: "Element", inherited: _Inherited) -> str:
        counter = self._lists[-1] if self._lists else ListCounter()
        number = counter.take(item.attr("value") if item.tag == "li" else None)
        return marker_of(inherited.list_style, number) if inherited.is_visible else ""

    def _begin_inline(self, element: "Element", declared: Declarations) -> Callable[[], None] | None:
        tag, flow = element.tag, self._flow
        if tag == "rt":
            return self._begin_reading()
        if tag == "q":
            flow.write("“")
            return lambda: flow.write("”")
        if mark := script_of(element, declared):
            flow.begin_script(mark)
            return lambda: flow.end_script(mark)
        if tag in _MATH_TOKENS or (declared and is_wide(declared)):
            flow.leave_gap()
            return flow.leave_gap
        return None

    def _begin_reading(self) -> Callable[[], None]:
        """Begin the reading of a character, which browsers draw above it."""
        self._flows.append(TextFlow(self._flow.before))

        def end() -> None:
            reading = self._flows.pop()
            if text := reading.text().strip():
                self._flow.write(f"({text})")
            elif reading.ends_with_space:
                self._flow.leave_gap()

        return end

    def _begin_box(self, element: "Element", display: str, declared: Declarations) -> Callable[[], None] | None:
        """Begin a box on the line. Neighboring boxes are parted if one sees that they are two."""
        flow = self._flow
        gap = GAP if display == "table-cell" else " "
        if gap == " " and element.tag not in {"button", "textarea"} and not is_wide(declared):
            return None
        flow.leave_gap(gap)
        return lambda: flow.leave_gap(gap)

    def _begin_row(self) -> Callable[[], None]:
        row = _Row()
        self._rows.append(row)
        self._flows.append(row.flow)

        def end() -> None:
            self._rows.pop()
            row.add(self._flows.pop())
            self._flow.write_row(_row_text(row.cells))

        return end

    def _begin_cell(self) -> Callable[[], None]:
        row, cell = self._rows[-1], TextFlow()
        row.add(self._flows.pop())
        row.flow = TextFlow()
        self._flows += [row.flow, cell]

        def end() -> None:
            self._flows.pop()
            row.add(cell)

        return end

    def _write_input(self, element: "Element", inherited: _Inherited) -> None:
        kind = (element.attr("type") or "text").strip().lower()
        if kind in _SILENT_INPUTS or not inherited.is_visible:
            return
        if kind in {"checkbox", "radio"}:
            value = "☒" if "checked" in element.attrs else "☐"
        else:
            value = element.attr("value") or ""
        if value.strip():
            self._flow.leave_gap()
            self._flow.write(value)
            self._flow.leave_gap()
        self._flow.pass_picture()


def _in_letter_case(text: str, transform: str, before: str) -> str:
    """Write a text in the letter case that CSS asks for. Its first letters may go on with the word before it."""
    if transform == "uppercase":
        return text.upper()
    if transform == "lowercase":
        return text.lower()
    if transform != "capitalize":
        return text
    return _FIRST_LETTER.sub(lambda letter: letter[0].upper(), before + text)[len(before) :]


def _row_text(cells: list[str]) -> str:
    """Put the cells of a row side by side, the few lines of a column's head or a label joined to one.

    A cell of several long lines is part of the page's layout: it keeps its lines, and the next cell begins one of its
    own. Otherwise a figure would stand beside the last line of a text.
    """
    if len(cells) < 2:
        return "".join(cells)
    joined = [_LINE_ENDS.sub(" ", cell) if len(cell) <= _MAX_JOINED_CHARACTERS else cell for cell in cells]
    pieces = joined[:1]
    for before, cell in pairwise(joined):
        pieces += ["\n" if "\n" in before else GAP, cell]
    return "".join(pieces)


def _children(element: "Element") -> "Iterator[Node]":
    from turbohtml import Text

    if (shadow := element.shadow_root) is not None:
        return iter(shadow.children)
    if element.tag == "option":
        return _texts_of_option(element)
    if element.tag in {"select", "optgroup"}:
        return (child for child in element.children if not isinstance(child, Text))
    if element.tag == "slot" and (assigned := element.assigned_nodes(flatten=True)):
        return iter(assigned)
    return iter(element.children)


def _texts_of_option(option: "Element") -> "Iterator[Text]":
    """Yield all texts of an option, for none of its elements counts; scripts and templates are no texts."""
    from turbohtml import Element, Text

    opened = [iter(option.children)]
    while opened:
        node = next(opened[-1], None)
        if node is None:
            opened.pop()
        elif isinstance(node, Text):
            yield node
        elif isinstance(node, Element) and node.tag not in {"script", "template"}:
            opened.append(iter(node.children))


def _foreign_display(element: "Element") -> str:
    """Return how an element of a drawing is displayed; nothing for other elements."""
    if element.tag in _SVG_TEXT and element.namespace.value == "svg":
        return _SVG_TEXT[element.tag]
    return ""


def _passed_on(element: "Element", declared: Declarations, inherited: _Inherited) -> _Inherited:
    """Return what the children of an element inherit, the same object where nothing changes."""
    tag = element.tag
    in_flex = is_flex(declared) if declared else False
    white_space = (_white_space(declared) if declared else "") or ("pre" if tag in PREFORMATTED else "")
    list_style = (_list_style(declared) if declared else "") or _list_style_of_tag(element, tag)
    visibility = declared.get("visibility", "inherit") if declared else "inherit"
    transform = declared.get("text-transform", "") if declared else ""
    transform = transform or ("none" if tag in CONTROLS else "inherit")
    if not (white_space or list_style or in_flex != inherited.in_flex or visibility + transform != "inheritinherit"):
        return inherited
    return _Inherited(
        white_space or inherited.white_space,
        inherited.is_visible if visibility == "inherit" else visibility not in {"hidden", "collapse"},
        inherited.transform if transform == "inherit" else transform,
        list_style or inherited.list_style,
        in_flex,
    )


def _white_space(declared: Declarations) -> str:
    value = declared.get("white-space") or declared.get("white-space-collapse", "")
    if value.startswith(("pre-line", "preserve-breaks")):
        return "pre-line"
    if value.startswith(("pre", "break-spaces")):
        return "pre"
    return "normal" if value in {"normal", "nowrap", "initial", "collapse"} else ""


def _list_style(declared: Declarations) -> str:
    value = declared.get("list-style-type") or declared.get("list-style", "")
    words = [word for word in value.split() if word not in {"inside", "outside"} and not word.startswith("url(")]
    return words[0] if words and words[0] != "inherit" else ""


def _list_style_of_tag(element: "Element", tag: str) -> str:
    if tag in LIST_STYLES or tag == "li":
        return list_style_of_type(tag, element.attr("type") or "") or LIST_STYLES.get(tag, "")
    return ""


def _counter_of(element: "Element") -> ListCounter:
    if element.tag != "ol":
        return ListCounter()
    start = whole_number(element.attr("start"))
    if "reversed" not in element.attrs:
        return ListCounter(1 if start is None else start)
    items = sum(getattr(child, "tag", "") == "li" for child in element.children)
    return ListCounter(items if start is None else start, -1)

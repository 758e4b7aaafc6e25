"""HTML pages made at random, of what filings and their makers' programs write, well-formed or not."""

import random
from collections.abc import Sequence

_WORDS = [
    "revenue", "dividend", "profit", "director", "share", "cash", "tax", "fiscal", "quarter", "segment", "营业收入",
    "净利润", "股东大会", "每股收益", "公司債券", "董事會", "12", "345", "1,234", "56.7", "2024", "(8,901)", "$99",
    "7%", "AT&amp;T", "R&D", "caf&eacute;", "&copy;", "&#8212;", "&nbsp;", "&lt;tag&gt;", "&nbsp;&nbsp;", "don’t",
    "A&amp;notes", "x&#x4e2d;y", "&#147;quoted&#148;",
]  # fmt: skip
_INLINE = [
    "b", "i", "u", "em", "strong", "span", "font", "a", "small", "big", "tt", "code", "cite", "abbr", "s", "del",
    "ins", "mark", "bdo", "kbd", "var", "nobr", "label", "x-y", "ix:nonnumeric",
]  # fmt: skip
_BLOCKS = [
    "p", "div", "center", "form", "section", "article", "fieldset", "legend", "dl", "dt", "dd", "blockquote", "h1",
    "h2", "h4", "address", "header", "footer", "main", "nav", "aside", "figure", "figcaption", "details", "summary",
    "menu", "dir", "hgroup", "pre", "listing",
]  # fmt: skip
_LOST = [
    "<script>lost()</script>", "<style>.lost{color:red}</style>", "<!-- lost -->", "<noscript>lost</noscript>",
    "<template><p>lost</p></template>", "<noframes>lost</noframes>", "<iframe>lost</iframe>",
    "<canvas>lost</canvas>", "<video>lost</video>", "<datalist><option>lost</datalist>", "<img alt=lost>",
    "<input type=hidden value=lost>", "<dialog>lost</dialog>", "<![CDATA[lost]]>", "<title>lost</title>",
    "<object></object>", "<meter>lost</meter>", "<svg><title>lost</title></svg>", "<?php lost ?>",
    "<progress>lost</progress>", "<link title=lost>",
]  # fmt: skip
_HIDING = [
    "style='display:none'", "style='color:red; DISPLAY : None !important'", "hidden", "class=gone", "id=away",
    "style='visibility:hidden'", "class='gone shown'", "style='content-visibility:hidden'",
]  # fmt: skip
_STYLES = [
    "display:block", "display:inline-block", "display:inline", "float:left", "position:absolute", "display:flex",
    "display:grid", "display:table-cell", "display:table-row", "display:table", "white-space:pre",
    "display:contents", "white-space:pre-wrap", "white-space:nowrap", "white-space:pre-line",
    "text-transform:uppercase", "font-size:0", "display:list-item;list-style-type:none", "margin-top:9em",
    "display:inline-flex", "opacity:0", "color:#fff", "visibility:visible", "position:relative;left:3px",
    "display:flow-root", "text-transform:capitalize",
]  # fmt: skip
_CLASSES = [
    "gone", "shown", "lines", "caps", "block", "note", "cell gone-not", "only-print",
]  # fmt: skip
_SHEET = """<style>/* of the page */ .gone { display: none } #away, p.away { display: none }
.shown{display:block!important}
.lines{white-space:pre-line} div.caps > span, .caps{text-transform:uppercase} @media print { .only-print{display:none} }
@media screen and (min-width: 600px) { .note { display: none } .note.note{display:inline} } td .block{display:block}
p:hover{display:none} p::before{display:none} @media (max-width:600px){ p{display:none} } @import url(x.css);</style>"""
_LIST_ATTRIBUTES = [
    "", "", "", " start=5", " start=-1", " reversed", " type=a", " type=I", " start=0 type=i", " start=x",
    " style='list-style-type:none'", " style='list-style:upper-roman inside'", " type=disc",
]  # fmt: skip
_MISPLACED = [
    "<td>", "</td>", "<tr>", "</table>", "<li>", "</li>", "</p>", "</div>", "</b>", "<b>", "</body>", "</html>",
    "<html>", "<body class=note>", "</span>", "</font>", "<p>", "<table>", "</form>", "<col>", "<caption>", "<dd>",
    "<tbody>", "</h1>", "<br/>", "<p/>", "<div/>", "<option>", "</select>", "<hr>", "<center>", "</br>",
]  # fmt: skip


class GeneratedPage:
    """Writes one page. The same seed writes the same page."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def source(self) -> str:
        """Write the whole page."""
        choice = self._random
        body = self._content(4)
        for _ in range(choice.choice((0, 0, 1, 3))):
            at = choice.randrange(len(body) + 1)
            body = body[:at] + choice.choice(_MISPLACED) + body[at:] if body[at - 1 : at] in {">", " "} else body
        head = choice.choice(("", "<!DOCTYPE html>")) + choice.choice(
            ("", f"<head><title>lost</title>{_SHEET}</head>", _SHEET)
        )
        end = choice.choice(
            ("", "</body></html>", "</html>" + self._content(2) + "</html>", f"<html><body>{self._content(2)}")
        )
        return f"{head}{body}{end}"

    def _content(self, depth: int) -> str:
        makers = [self._words, self._inline, self._words, self._break]
        if depth > 0:
            makers += [self._block, self._block, self._table, self._list, self._inline, self._hidden, self._control]
        return "".join(self._random.choice(makers)(depth) for _ in range(self._random.randint(1, 4)))

    def _words(self, depth: int) -> str:
        gap = self._random.choice((" ", " ", "\n", "  ", "\n\t", " &nbsp; "))
        words = gap.join(self._random.choices(_WORDS, k=self._random.randint(1, 4)))
        return self._random.choice(("", " ", "\n")) + words + self._random.choice(("", " ", "\r\n"))

    def _break(self, depth: int) -> str:
        return self._random.choice(("<br>", "<hr>", "<wbr>", "<BR/>", " ", *_LOST))

    def _attributes(self) -> str:
        roll = self._random.random()
        if roll < 0.7:
            return ""
        if roll < 0.85:
            return f" style='{self._random.choice(_STYLES)}'"
        return f" class='{self._random.choice(_CLASSES)}'"

    def _inline(self, depth: int) -> str:
        tag = self._random.choice(_INLINE)
        inside = self._content(depth - 1) if depth > 1 and self._random.random() < 0.4 else self._words(0)
        if self._random.random() < 0.1:
            return f"<ruby>{inside}<rp>lost</rp><rt>{self._words(0)}</rt></ruby>"
        return f"<{tag}{self._attributes()}>{inside}" + self._closed(tag, 0.95)

    def _block(self, depth: int) -> str:
        tag = self._random.choice(_BLOCKS)
        return f"<{tag}{self._attributes()}>{self._content(depth - 1)}" + self._closed(tag, 0.85)

    def _closed(self, tag: str, share: float) -> str:
        return f"</{tag}>" if self._random.random() < share else ""

    def _table(self, depth: int) -> str:
        rows = []
        for _ in range(self._random.randint(1, 3)):
            cells = [
                f"<{tag}{self._attributes()}>{self._content(depth - 2) if depth > 2 else self._words(0)}"
                + self._closed(tag, 0.8)
                for tag in self._random.choices(("td", "td", "th"), k=self._random.randint(0, 3))
            ]
            rows.append(f"<tr>{''.join(cells)}" + self._closed("tr", 0.8))
        caption = self._random.choice(
            ("", "", f"<caption>{self._words(0)}</caption>", "<thead>", "<colgroup><col>", "stray ")
        )
        return f"<table>{caption}{''.join(rows)}</table>"

    def _list(self, depth: int) -> str:
        tag = self._random.choice(("ol", "ol", "ul"))
        items = [
            f"<li{self._random.choice(('', '', '', ' value=9', ' value=x'))}>{self._words(0)}{self._content(depth - 2)}"
            + self._closed("li", 0.7)
            for _ in range(self._random.randint(1, 4))
        ]
        return f"<{tag}{self._random.choice(_LIST_ATTRIBUTES)}>{''.join(items)}</{tag}>"

    def _hidden(self, depth: int) -> str:
        tag = self._random.choice((*_INLINE, *_BLOCKS))
        return f"<{tag} {self._random.choice(_HIDING)}>{self._content(depth - 2)}</{tag}>"

    def _control(self, depth: int) -> str:
        return self._random.choice(_CONTROLS) if self._random.random() < 0.5 else self._script()

    def _script(self) -> str:
        tag = self._random.choice(("sup", "sub"))
        shifted = self._random.choice(("2", "(1)", "st", "TM", " 3 "))
        return f"1,234<{tag}>{shifted}</{tag}>" + self._random.choice((" ", "", "5"))


_CONTROLS: Sequence[str] = (
    "<textarea>typed\ntext</textarea>",
    "<select><option>2023<option selected>2024</select>",
    "<select multiple><optgroup label=lost><option>one</option></optgroup></select>",
    "<button>press</button>",
    "<input value=filled>",
    "<input type=submit value=send>",
    "<input type=checkbox checked value=lost>",
    "<input type=password value=lost>",
)

"""HTML is read as a browser shows it: each word once, in order, figures as they are."""

import pytest

from vector_assets.errors import PlaceholderDocument
from vector_assets.ingestion.html import read_html


def html(body: str) -> str:
    return read_html(body.encode(), "a.html")


def test_table_rows():
    """Cells of a row stand side by side, two spaces apart; empty cells leave no hole."""
    text = html("<table><tr><th>Item</th><th></th><th>2024</th></tr><tr><td>Revenue<td>$<td>1,234</table>")

    assert text == "Item  2024\nRevenue  $  1,234"


def test_cells_of_several_lines():
    """The few lines of a label or a head of a column are one, so that the row stays a line; long ones keep theirs."""
    long = "<p>" + "word " * 30 + "<p>end"

    assert html("<table><tr><td>Years<br>ended</td><td>May 1,<br>2024</td></tr></table>") == "Years ended  May 1, 2024"
    lines = html(f"<table><tr><td>{long}</td><td>{long}</td></tr></table>").split("\n")
    assert [line[-4:] for line in lines if line] == ["word", "end", "word", "end"]


def test_nested_tables():
    """A table inside a cell loses nothing, and does not stick to the text before it."""
    text = html("<table><tr><td>Note<table><tr><td>5<td>6</table>after</td></tr></table><p>end")

    assert text.split() == ["Note", "5", "6", "after", "end"]


@pytest.mark.parametrize("body", ["<table></table>x", "<table><tr></tr></table>x", "<td>x</td>", "<tr>x</tr>"])
def test_tables_without_cells(body: str):
    """Tables that lack rows or cells, and cells that lack a table, cost nothing but themselves."""
    assert html(body) == "x"


def test_a_long_cell_does_not_widen_the_others():
    """The text of a table is as long as its cells are, not as long as its longest cell times its rows."""
    rows = "<tr><td>row</td><td>1</td></tr>" * 500
    body = f"<table><tr><td>{'word ' * 4_000}</td></tr>{rows}</table>"

    text = html(body)

    assert len(text) < 30_000
    assert text.endswith("row  1")


def test_paragraphs():
    """Paragraphs are parted by an empty line; white space inside them is one space."""
    text = html("<p>one\n  two</p><p>three<br>four</p>\n\n\n<div>five</div>")

    assert text == "one two\n\nthree\nfour\n\nfive"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>no</script>",
        "<style>no</style>",
        "<!-- no -->",
        "<head><title>no</title></head>",
        "<p style='display:none'>no</p>",
        "<p style='color: red; DISPLAY : None !important'>no</p>",
        "<div style='display:none'><p style='display:block'>no</p></div>",
        "<div style='display:none'><table><tr><td>no</td></tr></table></div>",
        "<p hidden>no</p>",
        "<template><p>no</p></template>",
        "<p style='visibility:hidden'>no</p>",
        "<style>@media screen{.a .b,#c{display:none}}</style><p class=a><b class='x b'>no</b></p><p id=c>no</p>",
        "<style>p{display:block} .a{display:none!important}</style><p class=a style='display:block'>no</p>",
        "<noscript><p>no</p></noscript>",
        "<dialog>no</dialog><datalist><option>no</datalist><canvas>no</canvas><iframe>no</iframe>",
        "<input type=hidden value=no><input type=password value=no>",
        "<svg><title>no</title></svg>",
    ],
)
def test_hidden_text(hidden: str):
    """What a browser hides is left out; what follows it is not."""
    text = html(f"<body>{hidden}shown</body>")

    assert text == "shown"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("P&amp;L of A&lt;B &copy; &#20844;&#x53f8; &mdash;", "P&L of A<B © 公司 —"),
        ("R&amp;lt; and &amp;amp;", "R&lt; and &amp;"),
        ("A&amp;notes &#38;copy", "A&notes &copy"),
        ("AT&T", "AT&T"),
    ],
)
@pytest.mark.parametrize("wrap", ["{}", "<table><tr><td>{}</td></tr></table>"])
def test_entities(source: str, shown: str, wrap: str):
    """Entities are resolved once, in tables too."""
    assert html(wrap.format(source)) == shown


def test_preformatted_lines():
    """Lines of preformatted text stay lines."""
    text = html("<pre>a\nb</pre><p style='white-space: pre-wrap'>c\nd</p>")

    assert text.split() == ["a", "b", "c", "d"]
    assert text.count("\n") >= 3


def test_columns_of_preformatted_text():
    """Columns that are made of spaces or tabs stay apart by two spaces, as the cells of a table do."""
    assert html("<pre>Cash      5\nTaxes\t12</pre>") == "Cash  5\nTaxes  12"


@pytest.mark.parametrize("style", ["margin-top:" + "9" * 400 + "em", "padding-left:99999999em", "margin-top:-1px"])
def test_absurd_lengths(style: str):
    """Lengths beyond all bounds neither break the reader nor fill the text with space."""
    assert html(f"<p style='{style}'>x</p>") == "x"


@pytest.mark.parametrize("tag", ["div", "font", "b", "span"])
def test_elements_nested_deep(tag: str):
    """Text 400 elements deep, and text after it, is read (pages that never close their <font>)."""
    text = html(f"<{tag}>" * 400 + "deep" + f"</{tag}>" * 400 + "<p>after")

    assert text.split() == ["deep", "after"]


@pytest.mark.parametrize("tag", ["div", "font", "table><tr><td"])
def test_elements_nested_beyond_reason(tag: str):
    """What is nested beyond all reason is read too, and nothing crashes."""
    assert html(f"<{tag}>" * 20_000 + "deep").split() == ["deep"]


def test_long_text():
    """A text node beyond 10 MB, where the parser's default ends, is read whole."""
    body = "<p>" + "x" * 10_500_000 + "</p><p>after"

    text = html(f"<pre>{body}</pre>")

    assert len(text.split()[0]) == 10_500_000
    assert text.endswith("after")


# What browsers show and simple readers lose or change


@pytest.mark.parametrize(
    "source",
    [
        "<html><body><p>Cover</p></body></html><p>Chapter</p></html>",
        "<html><body><p>Cover</p></body></html>\n<html><body class=x><p>Chapter</p></body></html>",
        "<p>Cover</p></body></html><!-- end --><table><tr><td>Chapter</table>",
        "<p>Cover<form><select><option>Chapter</select>",
        "<p>Cover<details><summary>Chapter</summary></details>",
        "<p>Cover<iframe srcdoc='&lt;p&gt;Chapter'></iframe>",
        "<p>Cover<div><template shadowrootmode=open><p>Chapter</p></template></div>",
        "<p>Cover<style>@media print{p{display:none}} p:hover{display:none}</style><p>Chapter",
        "<p>Cover<p hidden style='display:block'>Chapter",
        "<p style='visibility:hidden'>no<span style='visibility:visible'>Cover</span></p><p>Chapter",
    ],
)
def test_text_that_is_shown(source: str):
    """Text after the document's end, in controls and in inner pages is shown, and so it is read."""
    assert html(source).split() == ["Cover", "Chapter"]


_BLOCKS = [
    "center", "form", "section", "fieldset", "legend", "dl", "dt", "dd", "details", "summary", "menu", "dir", "search",
    "dialog", "hr", "hgroup",
]  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [f"<{tag} open>one</{tag}><{tag} open>two</{tag}>" for tag in _BLOCKS]
    + [
        "<span style='display:block'>one</span><span style='display:block'>two</span>",
        "<div style='display:flex'><span>one</span><span>two</span></div>",
        "<b style='float:left'>one</b><b>two</b>",
        "<b style='position:absolute'>one</b><b>two</b>",
        "<font>one<hr>two</font>",
        "one<legend style='display:inline-block'>two</legend>",
        "<style>.l{display:block}</style><i class=l>one</i><i class=l>two</i>",
        "<button>one</button><input value=two>",
        "<b style='display:inline-block;width:9em'>one</b><b style='display:inline-block;width:9em'>two</b>",
    ],
)
def test_neighbors_stay_apart(source: str):
    """Words of neighboring blocks and boxes never run together."""
    assert html(source).split() == ["one", "two"]


@pytest.mark.parametrize("source", ["o<b>n</b>e", "o<wbr>ne", "o<span style='color:red'>ne</span>", "o<!-- -->ne"])
def test_words_stay_whole(source: str):
    """A word is one word, however many elements it is in."""
    assert html(source) == "one"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("1,234<sup>2</sup> million", "1,234^2 million"),
        ("1,234<sup>(2)</sup>", "1,234(2)"),
        ("10<sup>6</sup>/year", "10^6/year"),
        ("net in&shy;come", "net income"),
        ("in 2024<span style='vertical-align:super'>1</span>", "in 2024^1"),
        ("5%<font style='position:relative;top:-3.5pt'>3</font>", "5%^3"),
        ("10<sup>6</sup>5", "10^6 5"),
        ("<sup>1</sup>2024 and <sup>a</sup>b", "1 2024 and ab"),
        ("21<sup>st</sup>, H<sub>2</sub>O, 10<sub>2</sub>, CO<sub>2</sub>", "21st, H2O, 10_2, CO2"),
        ("1<sup>1</sup>/<sub>2</sub>", "1 1/2"),
        ("<table><tr><td>1,234<sup>2</sup><td>5</table>", "1,234^2  5"),
    ],
)
def test_figures_stay_as_they_are(source: str, shown: str):
    """A superscript does not become a digit of the figure before or after it."""
    assert html(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<ol start=5><li>a<li>b</ol>", "5. a\n6. b"),
        ("<ol><li>a<li value=9>b<li>c</ol>", "1. a\n9. b\n10. c"),
        ("<ol reversed><li>a<li>b</ol>", "2. a\n1. b"),
        ("<ol type=a start=27><li>a</ol>", "aa. a"),
        ("<ol type=I start=4><li>a</ol>", "IV. a"),
        ("<ol start=x><li>a<ol type=i><li>b</ol><li>c</ol>", "1. a\ni. b\n2. c"),
        ("<ol><li><p>a</p><li><li>b</ol>", "1. a\n\n3. b"),
        ("<ol style='list-style:none'><li>a</ol><ul><li>b</ul>", "a\n• b"),
        ("<ol style='list-style-type:trad-chinese-informal' start=21><li>甲</ol>", "二十一、甲"),
        ("<ol><li hidden>a<li>b</ol>", "1. b"),
        ("<ol><li><summary style='display:list-item'></summary><li>x</ol>", "2. x"),
    ],
)
def test_numbers_of_lists(source: str, shown: str):
    """Items of lists have the numbers that a browser gives them."""
    assert html(source) == shown


def test_other_spellings():
    """Readings of characters, quotations and letters in capitals are read as they look."""
    assert html("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>字") == "漢(かん)字"
    assert html("<q>net</q> <b style='text-transform:uppercase'>sales</b>") == "“net” SALES"
    assert html("<input type=checkbox checked> yes <input type=checkbox> no") == "☒ yes ☐ no"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("net sales", "Net Sales"),
        ("1,234<sup>st</sup> half", "1,234st Half"),
        ("don’<i>t x</i>", "Don’t X"),
        ("净利润<b>tax</b>", "净利润Tax"),
        ("<img alt=no>share <img alt=no> cash", "share Cash"),
        ("<select><option>one</select>share", "one\nshare"),
        ("net<br>sales", "Net\nSales"),
    ],
)
def test_words_that_begin_with_capitals(source: str, shown: str):
    """Where words are to begin with capitals, a word that goes on in another element has begun already."""
    assert html(f"<div style='text-transform:capitalize'>{source}</div>") == shown


def test_a_block_without_its_content():
    """Its place parts its neighbors all the same."""
    assert html("one<nav style='content-visibility:hidden'>no</nav>two") == "one\ntwo"


def test_options():
    """An option shows all of its text, whatever its elements are, and no script."""
    option = "<option>a<b hidden>b</b><rp>c</rp><ol><li>d</ol><script>no</script><template><p>no</template>"

    assert html(f"<select>{option}</select>") == "abcd"


def test_empty_items_and_readings():
    """What holds only white space is parted from its neighbors, and has no marker."""
    assert html("<pre><ol><li>\n&nbsp; &nbsp;<li>x</ol></pre>") == "2. x"
    assert html("<pre>a<b>&nbsp; </b>b</pre>") == "a  b"
    assert html("<ruby>lost<rt> &nbsp; </rt></ruby>1,234") == "lost 1,234"
    assert html("<ol><ruby><li>x</ruby></ol>") == "x"


def test_page_of_frames():
    """A page that only shows other files is refused, and the files are asked for."""
    with pytest.raises(PlaceholderDocument, match="page of frames"):
        html("<frameset><frame src=a.htm><noframes>Your browser shows no frames.</noframes></frameset>")

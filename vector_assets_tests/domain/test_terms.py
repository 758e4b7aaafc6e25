"""The terms of texts: the same for documents and questions, whatever the language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.domain.terms import term_counts, term_id, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The company's net sales were rising", ["compani", "net", "sale", "rise"]),
        ("$1,234.5 million, up 4%", ["1234.5", "million", "4"]),
        ("Form 10-K of 0700.HK", ["form", "10-k", "10", "0700.hk", "0700", "hk"]),
        ("股份回购", ["股份", "份回", "回购"]),
        ("粥", ["粥"]),
        ("２０２５年收入１１．８０元", ["2025", "年收", "收入", "11.80", "元"]),
        ("「回購」計劃", ["回購", "計劃"]),
        ("... ?! 🙂", []),
        ("", []),
    ],
)
def test_words_are_stemmed_chinese_is_paired_and_numbers_are_whole(text: str, expected: list[str]) -> None:
    """Full-width digits are digits; codes are kept whole beside their parts."""
    assert list(terms(text)) == expected


@given(st.text(max_size=200))
def test_any_text_has_counts_that_can_be_stored(text: str) -> None:
    """Ids ascend and fit four bytes; frequencies add up to the length."""
    counts = term_counts(text)

    assert counts.term_ids == sorted(set(counts.term_ids))
    assert all(-(2**31) <= id_ < 2**31 for id_ in counts.term_ids)
    assert sum(counts.frequencies) == counts.length


def test_a_term_has_one_number_for_ever() -> None:
    """It is stored, so that another process and another year must compute the same."""
    assert term_id("回购") == 1951663447
    assert term_id("10-k") == -419007203

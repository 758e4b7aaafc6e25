"""Which questions are refused, and which are not."""

import pytest

from vector_assets.errors import InvalidQuestion
from vector_assets.search.question_checks import MOST_HITS, check_limit, check_question


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ("", "the question is blank"),
        (" \n\t　", "the question is blank"),
        ("net sales " * 10_240, "the question has 102,400 characters"),
        ("?!,。、；：“”", "the question has no word and no number"),
        ("&& || ! <-> \"\" ''", "the question has no word and no number"),
        ("🚀📈", "the question has no word and no number"),
        ("\udcff net", "the question is not valid UTF-8"),
        ("\0", "the question has no word and no number"),
    ],
)
def test_what_asks_for_nothing_is_refused(question: str, problem: str) -> None:
    """In one line with the fix."""
    with pytest.raises(InvalidQuestion) as raised:
        check_question(question)

    assert raised.value.problem == problem
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "question",
    [
        "a",
        "42",
        "回购",
        "회사",
        "'; DROP TABLE documents; --",
        "(net | sales) & !loss:*",
        "回购 buyback 買回 🚀",
        '"quoted',
    ],
)
def test_what_has_a_word_is_asked(question: str) -> None:
    """Whatever it is mixed with: it is never part of a statement."""
    check_question(question)


@pytest.mark.parametrize("limit", [0, -1, MOST_HITS + 1])
def test_a_senseless_number_of_hits_is_refused(limit: int) -> None:
    """Up to the greatest number, which is asked for elsewhere."""
    with pytest.raises(InvalidQuestion, match=f"{limit:,} hits"):
        check_limit(limit)

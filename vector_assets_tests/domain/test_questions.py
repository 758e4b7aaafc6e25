"""Files of questions with the documents that answer them."""

import pytest

from vector_assets.domain.questions import Question, parse_questions
from vector_assets.errors import InvalidQuestions

LINE = '{"qid": "1", "query": "净利润是多少？", "relevant_documents": ["cn/a/1/x.txt", "cn/a/1/y.txt"], "answer": "1"}'


def test_a_question_is_a_line() -> None:
    """Blank lines and further entries are passed over."""
    found = parse_questions("q.jsonl", f"{LINE}\n\n{LINE}\n")

    assert found == [Question("净利润是多少？", frozenset({"cn/a/1/x.txt", "cn/a/1/y.txt"}))] * 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 cannot be used"),
        ("[]", "not a JSON object"),
        ('{"relevant_documents": ["a"]}', "no text as query"),
        ('{"query": " ", "relevant_documents": ["a"]}', "no text as query"),
        ('{"query": "a"}', "relevant_documents"),
        ('{"query": "a", "relevant_documents": "us/a.txt"}', "relevant_documents"),
    ],
)
def test_a_line_that_is_no_question_is_named(line: str, words: str) -> None:
    """With what is wrong, and the form of a line."""
    with pytest.raises(InvalidQuestions) as caught:
        parse_questions("q.jsonl", f"{LINE}\n{line}\n")

    message = str(caught.value)
    assert message.startswith("questions q.jsonl: line 2 ")
    assert words in message
    assert "\n" not in message


def test_a_question_may_be_one_that_no_document_answers() -> None:
    """Sets of questions have such; they count as not found in every space alike."""
    (found,) = parse_questions("q.jsonl", '{"query": "a", "relevant_documents": []}')

    assert found == Question("a", frozenset())


def test_a_file_without_a_question_is_refused() -> None:
    """Nothing would be measured."""
    with pytest.raises(InvalidQuestions, match="no question"):
        parse_questions("q.jsonl", "\n")

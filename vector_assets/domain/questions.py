"""Questions whose answers are known, by which searches are measured."""

import json
from dataclasses import dataclass
from typing import Self

from ..errors import InvalidQuestions


@dataclass(frozen=True)
class Question:
    """A question, and the documents that hold the answer: their paths under the landing directory.

    A question whose answer no document holds has none; no search can find it.
    """

    text: str
    relevant_documents: frozenset[str]

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line such as `{"query": "...", "relevant_documents": ["us/annual_report/AAPL/2024.pdf"]}`.

        Raises:
            ValueError: it is not such an object; further entries are allowed.
        """
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("it is not a JSON object")
        text, documents = row.get("query"), row.get("relevant_documents")
        if not isinstance(text, str) or not text.strip():
            raise ValueError("it has no text as query")
        if not isinstance(documents, list) or not all(isinstance(name, str) for name in documents):
            raise ValueError("it has no list of paths as relevant_documents")
        return cls(text, frozenset(documents))


def parse_questions(name: str, text: str) -> list[Question]:
    """Read one question a line; blank lines are passed over. `name` is what an error calls the text.

    Raises:
        InvalidQuestions: a line is no question, or there is none.
    """
    questions = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            questions.append(Question.parse(line))
        except (ValueError, RecursionError) as error:
            raise InvalidQuestions(name, f"line {number} cannot be used ({error})") from error
    if not questions:
        raise InvalidQuestions(name, "it has no question")
    return questions

"""Refuses questions that nothing could answer, and answers that nobody could read."""

from ..errors import InvalidQuestion
from ..translation import translate

MOST_CHARACTERS = 4_000
"""Of a question. Models read about 2,000; a question that is longer is a document."""

MOST_HITS = 10_000
"""Of an answer. Whoever wants all chunks reads the view filings_search."""


def check_question(text: str) -> None:
    """Refuse a text that has no word, is too long, or is not text.

    Raises:
        InvalidQuestion: it is one of these.
    """
    if not text.strip():
        raise InvalidQuestion(translate("the question is blank"), translate("Say what to look for."))
    if len(text) > MOST_CHARACTERS:
        raise InvalidQuestion(
            translate("the question has {count:,} characters", count=len(text)),
            translate("Ask in at most {most:,}.", most=MOST_CHARACTERS),
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidQuestion(translate("the question is not valid UTF-8"), translate("Write it in UTF-8."))
    if not any(character.isalnum() for character in text):
        raise InvalidQuestion(translate("the question has no word and no number"), translate("Say what to look for."))


def check_limit(limit: int) -> None:
    """Refuse a number of hits that is below 1 or above what is read.

    Raises:
        InvalidQuestion: it is.
    """
    if not 1 <= limit <= MOST_HITS:
        raise InvalidQuestion(
            translate("{limit:,} hits cannot be found", limit=limit),
            translate("Give a limit from 1 to {most:,}.", most=MOST_HITS),
        )

"""The file of questions by which spaces are compared."""

from pathlib import Path

from ..domain.questions import Question, parse_questions
from ..errors import InvalidQuestions


def read_questions(path: Path) -> list[Question]:
    """Read a file of JSON Lines in UTF-8.

    Raises:
        InvalidQuestions: it cannot be read, or a line is no question.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InvalidQuestions(str(path), f"it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidQuestions(str(path), f"it is not UTF-8 (byte {error.start})") from error
    return parse_questions(str(path), text)

"""Errors of documents cross from the process that parses them by a code."""

import pytest

from vector_assets.errors import DocumentError, EmptyDocument, UnreadableDocument


@pytest.mark.parametrize("kind", DocumentError.__subclasses__(), ids=lambda kind: kind.code)
def test_an_error_of_another_process_is_restored_from_its_code(kind: type[DocumentError]) -> None:
    """It has its class, its document and its message, and none of them is built a second time."""
    restored = DocumentError.from_code(kind.code, "us/a.pdf", "us/a.pdf: bad. Fix it.")

    assert type(restored) is kind
    assert (restored.document, str(restored)) == ("us/a.pdf", "us/a.pdf: bad. Fix it.")


def test_the_codes_are_those_that_were_published() -> None:
    """A code never changes, whatever becomes of the name of its class."""
    assert (EmptyDocument.code, UnreadableDocument.code) == ("empty", "unreadable")


def test_a_code_belongs_to_one_error() -> None:
    """A second error with it is refused when its class is made."""
    with pytest.raises(TypeError, match="EmptyDocument"):
        type("AnotherEmptyDocument", (DocumentError,), {}, code="empty")

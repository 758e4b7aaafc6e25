"""The check of documents names what was not read."""

import pytest

from vector_assets.domain.documents import DocumentRejection
from vector_assets.quality.check_result import Severity
from vector_assets.quality.document_checks import DocumentFacts, documents_read

BAD = DocumentRejection("a.pdf", None, "EmptyDocument", "a.pdf: no text")


@pytest.mark.parametrize(
    ("facts", "passed", "severity", "words"),
    [
        (DocumentFacts(2, (), {}), True, Severity.WARNING, "2 files"),
        (DocumentFacts(2, (BAD,), {}), False, Severity.WARNING, "1 of 2 files could not be read. a.pdf: no text"),
        (DocumentFacts(1, (BAD,), {}), False, Severity.ERROR, "1 of 1 file could not be read."),
        (DocumentFacts(1, (), {"b.pdf": "9 of 10 pages"}), False, Severity.WARNING, "b.pdf: 9 of 10 pages"),
        (DocumentFacts(0, (), {}), True, Severity.WARNING, "0 files"),
    ],
)
def test_documents_read(facts: DocumentFacts, passed: bool, severity: Severity, words: str):
    """Some files that were not read, or in part, are warned of; where none was read the check fails."""
    result = documents_read(facts)

    assert (result.passed, result.severity) == (passed, severity)
    assert words in result.description
    assert ("not_read" in result.figures) is not passed

"""Equal reasons are one line."""

from vector_assets.domain.documents import DocumentRejection
from vector_assets.domain.folded_reasons import folded_reasons


def rejected(count: int, error: str, problem: str) -> list[DocumentRejection]:
    return [DocumentRejection(f"{number}.txt", None, error, f"{number}.txt: {problem}") for number in range(count)]


def test_few_reasons():
    """Some rejections are a line each, in their order."""
    items = [*rejected(2, "EmptyDocument", "no text"), *rejected(1, "NulBytes", "NUL")]

    assert list(folded_reasons(items)) == ["0.txt: no text", "1.txt: no text", "0.txt: NUL"]


def test_many_equal_reasons():
    """Many with the same reason are one line, and so are all rows without a file."""
    items = [*rejected(5, "EmptyDocument", "no text"), *rejected(1, "EmptyDocument", "no pages")]
    missing = [item for number in range(62) for item in rejected(1, "ManifestRowWithoutFile", f"row {number}")]

    assert list(folded_reasons(items)) == ["0.txt: no text (4 more have the same reason)", "0.txt: no pages"]
    (line,) = folded_reasons(missing, 94)
    assert line.startswith("62 of 94 rows of manifest.csv name files that are not there, e.g. 0.txt.")

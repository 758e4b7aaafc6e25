"""The context of a document, which its chunks carry: a chunk alone names neither the issuer nor the period."""

from ..domain.documents import StoredDocument


def context_of(document: StoredDocument) -> str:
    """Return the company (else the stock code), the title and the period, without what another of them contains."""
    parts = [document.company_name or document.partition.stock_code, document.title, document.period]
    return " ".join(part for index, part in enumerate(parts) if part and not _is_repeated(parts, index))


def _is_repeated(parts: list[str], index: int) -> bool:
    """Return whether a longer part contains this one, or an earlier one is equal to it."""
    part = parts[index].casefold()
    others = [(other.casefold(), at) for at, other in enumerate(parts) if at != index]
    return any(part in other and (part != other or at < index) for other, at in others)

"""Texts are divided into requests, each as full as the server's limits allow."""

from collections.abc import Iterator, Sequence

from ...domain.chunks import TokenizedText


def fill_requests(texts: Sequence[TokenizedText], most_texts: int, most_tokens: int) -> Iterator[slice]:
    """Yield the places of the texts of each request, in order. A text beyond the limit has a request of its own."""
    start, tokens = 0, 0
    for place, text in enumerate(texts):
        is_full = place - start >= most_texts or tokens + text.tokens_embedded > most_tokens
        if place > start and is_full:
            yield slice(start, place)
            start, tokens = place, 0
        tokens += text.tokens_embedded
    if start < len(texts):
        yield slice(start, len(texts))

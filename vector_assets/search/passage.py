"""The part of a chunk's text that has most of a question's terms, to be shown where the whole is too long."""

import re

from ..domain.terms import terms

# The ends of sentences and lines, in English and Chinese.
_PIECE = re.compile(r"[^。！？；!?;\n]*?(?:[。！？；!?;\n]+[」』”]?|[.]\s+|$)")


def best_passage(text: str, question: str, characters: int) -> str:
    """Shorten a text to so many characters around what the question asks for; ` ...` marks what is left out.

    The passage begins with a sentence, if possible one that has terms of the question.
    """
    whole = " ".join(text.split())
    if len(whole) <= characters:
        return whole
    asked = set(terms(question))
    pieces = [piece for piece in _PIECE.findall(text) if piece.strip()]

    def value(start: int) -> tuple[int, int, int]:
        """Count the terms of the question in the passage that begins with a piece, and in the piece itself."""
        passage = "".join(pieces[start:])[:characters]
        return len(asked & set(terms(passage))), len(asked & set(terms(pieces[start]))), -start

    best = max(range(len(pieces)), key=value)
    shown = " ".join("".join(pieces[best:]).split())
    before = "... " if best else ""
    after = " ..." if len(shown) > characters else ""
    return before + shown[:characters].rstrip() + after

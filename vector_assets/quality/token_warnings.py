"""Warnings about text that the model does not read: unknown tokens, and tokens beyond its limit."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Self

from ..domain.reports import VectorizeReport
from ..domain.wording import readable_chunks
from ..translation import ngettext
from .limits import QualityLimits
from .scripts import Script, vocabulary_sentence


@dataclass(frozen=True)
class TokenCounts:
    """How much of a number of chunks a model could read; `tokens_embedded` are within its limit.

    `script` is that of the texts with most unknown tokens.
    """

    chunks: int
    truncated_chunks: int
    tokens: int
    tokens_embedded: int
    unknown_tokens: int
    script: str = Script.OTHER

    @classmethod
    def of_report(cls, report: VectorizeReport) -> Self:
        """Take the counts of a run."""
        truncated, tokens, embedded = report.truncated_chunks, report.tokens, report.tokens_embedded
        return cls(report.processed, truncated, tokens, embedded, report.unknown_tokens, report.script)

    @classmethod
    def sum_of(cls, counts: Iterable[Self]) -> Self:
        """Add up the counts of several runs, of which there is one at least."""
        rows = list(counts)
        script = max(rows, key=lambda row: row.unknown_tokens).script
        *columns, _ = zip(*map(astuple, rows), strict=True)
        processed, truncated, tokens, embedded, unknown = (sum(column) for column in columns)
        return cls(processed, truncated, tokens, embedded, unknown, script)


def token_warnings(counts: TokenCounts, limits: QualityLimits) -> list[str]:
    """Write one sentence, with the fix, for each limit that the counts exceed."""
    found = []
    unknown_share = counts.unknown_tokens / counts.tokens_embedded if counts.tokens_embedded else 0.0
    if unknown_share > limits.max_unknown_share:
        found.append(vocabulary_sentence(unknown_share, counts.script, limits.max_unknown_share))
    lost = counts.tokens - counts.tokens_embedded
    if counts.tokens and lost / counts.tokens > limits.max_lost_share:
        truncated = ngettext(
            "{number:,} of {chunks} was truncated at the model's limit, which lost {tokens} ({share:.1%}). Make the "
            "chunks smaller (VECTOR_ASSETS_CHUNK_TOKENS), or choose a model that reads longer texts.",
            "{number:,} of {chunks} were truncated at the model's limit, which lost {tokens} ({share:.1%}). Make the "
            "chunks smaller (VECTOR_ASSETS_CHUNK_TOKENS), or choose a model that reads longer texts.",
            counts.truncated_chunks,
            chunks=readable_chunks(counts.chunks),
            tokens=ngettext("{number:,} token", "{number:,} tokens", lost),
            share=lost / counts.tokens,
        )
        found.append(truncated)
    return found

"""What a model does not read of a text is warned of above the limits, with the fix."""

import pytest

from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.token_warnings import TokenCounts, token_warnings

ALL_READ = TokenCounts(chunks=100, truncated_chunks=0, tokens=9000, tokens_embedded=9000, unknown_tokens=0)


@pytest.mark.parametrize("counts", [ALL_READ, TokenCounts(0, 0, 0, 0, 0), TokenCounts(100, 0, 9000, 9000, 450)])
def test_nothing_is_warned_of_within_the_limits(counts: TokenCounts) -> None:
    """A few rare symbols are normal; a run without chunks has nothing to warn of."""
    assert token_warnings(counts, QualityLimits()) == []


def test_unknown_tokens_and_truncated_chunks_are_warned_of() -> None:
    """The sentences have the figures and the settings to change."""
    unknown, truncated = token_warnings(TokenCounts(100, 3, 9000, 8580, 4462), QualityLimits())

    assert "52%" in unknown
    assert "EMBEDDING_MODEL" in unknown
    assert "3 of 100" in truncated
    assert "420 tokens (4.7%)" in truncated
    assert "VECTOR_ASSETS_CHUNK_TOKENS" in truncated


def test_limits_can_be_wider() -> None:
    """Then the same counts pass."""
    limits = QualityLimits(max_unknown_share=0.6, max_lost_share=0.05)

    assert token_warnings(TokenCounts(100, 3, 9000, 8580, 4462), limits) == []


def test_the_sum_of_runs_names_the_script_of_most_unknown_tokens() -> None:
    """It is the text that the model does not read."""
    runs = [TokenCounts(10, 0, 900, 900, 3, "latin"), TokenCounts(1, 0, 100, 100, 47, "tibetan")]

    counts = TokenCounts.sum_of(runs)

    assert counts == TokenCounts(11, 0, 1000, 1000, 50, "tibetan")
    assert "Tibetan" in token_warnings(counts, QualityLimits(max_unknown_share=0.01))[0]

"""The words refuse nonsense."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.partition_patterns import PartitionPattern
from vector_assets.domain.progress import BatchProgress, shortcomings
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.domain.wording import readable_age, readable_bytes, readable_line, readable_seconds
from vector_assets.errors import InvalidPartitionKey, InvalidPattern, VectorAssetsError


@pytest.mark.parametrize(
    "text",
    [
        "us/annual_report", "us//AAPL", "US/annual_report/AAPL", "us/a/b...c", "us/a/b,c", "us/a/..", "us/a/b c", "",
        "a/b/c/d", "us/a/" + "x" * 65, "us/报告/AAPL", "us/a/b\n",
    ],
)  # fmt: skip
def test_an_invalid_key_is_refused(text: str) -> None:
    """One line, with the form."""
    with pytest.raises(InvalidPartitionKey, match="market/doc_type/stock_code") as caught:
        PartitionKey.parse(text)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["us/annual_report/AAPL", "hk/announcement/00700", "us/10-K/BRK.B"])
def test_a_valid_key_comes_back_as_it_was(text: str) -> None:
    """Parsing and printing are inverse."""
    assert str(PartitionKey.parse(text)) == text


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_an_error_of_ours(text: str) -> None:
    """Nothing else leaves the parser."""
    try:
        key = PartitionKey.parse(text)
    except VectorAssetsError:
        return

    assert str(key) == text


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("us/*/*", True), ("*/*/AAPL", True), ("*/*/A?PL", True), ("hk/*/*", False), ("us/annual_report/aapl", True),
        ("us/", True), ("US", True), ("/aapl", True), ("annual_report", True), ("annual_report/AAPL", True),
        ("us/AAPL", False), ("AAP", False), ("AAPL/", False), ("/us", False), ("us/*/", True),
    ],
)  # fmt: skip
def test_a_pattern_means_neighboring_whole_parts(pattern: str, fits: bool) -> None:
    """A market, a company, one letter; in any letter case."""
    assert PartitionPattern.parse(pattern).matches(PartitionKey("us", "annual_report", "AAPL")) is fits


@pytest.mark.parametrize("pattern", ["", "us/*/*/*", "us/[a]/x", "us/a b/x"])
def test_a_pattern_that_can_match_nothing_is_refused(pattern: str) -> None:
    """One line, with the form."""
    with pytest.raises(InvalidPattern, match="invalid pattern"):
        PartitionPattern.parse(pattern)


def test_the_details_of_progress_are_what_its_line_leaves_out() -> None:
    """Recent speed beside the whole run's, how sure the time left is, and what is not as it should be."""
    counts = {"vectorized_count": 62, "superseded_count": 0, "failed_count": 2, "truncated_chunks": 12}
    tokens = {"tokens": 9000, "tokens_embedded": 8000, "unknown_tokens": 2400}
    left = {"recent_seconds_a_batch": 2.0, "recent_tokens_per_second": 1500.0, "seconds_left": 6.0}
    said = BatchProgress(
        2, 5, 32, 64, 160, **counts, **tokens, **left, elapsed_seconds=4.0, seconds_left_spread=1.2, batch_chunks=()
    )

    assert said.line() == "batch 2/5 · 64/160 chunks (40.0%) · 16 chunks/s · 6 s left"
    assert said.details() == (
        "4 s elapsed · 2 s per batch · 2,000 tokens/s (recent: 1,500) · time left ± 1 s · 2 failed · 12 truncated · "
        "30.0% unknown tokens"
    )


def test_progress_reads_like_a_mapping_too() -> None:
    """As callbacks of earlier tools expect it; what it does not have is a KeyError."""
    progress = BatchProgress(2, 5, 32, 64, 160, 62, 0, 2, 9000, 8000, 0, 0, 4.0, None, None, None, None, ())

    assert (progress["batch_num"], progress["processed"], progress["percent"]) == (2, 64, progress.percent)
    assert dict(progress)["total"] == progress.total
    assert len(progress) == len(list(progress))
    with pytest.raises(KeyError):
        progress["line"]


def test_nothing_is_said_of_quality_where_all_is_well() -> None:
    """A rare symbol among thousands of tokens is normal."""
    assert shortcomings(0, 0, 3, 9000) == []
    assert shortcomings(0, 0, 0, 0) == []
    assert shortcomings(1, 1, 5, 9000) == ["1 failed", "1 truncated", "0.1% unknown tokens"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (3630, "1 h"),
        (4859, "1 h 20 min"), (86_400, "1 d"), (147_600, "1 d 17 h"),
    ],
)  # fmt: skip
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    """In whole numbers, without zeros."""
    assert readable_seconds(seconds) == text


@pytest.mark.parametrize(("hours", "text"), [(-1, "now"), (0, "now"), (3.2, "3 hours ago"), (50, "2 days ago")])
def test_an_age_is_rounded_to_one_unit(hours: float, text: str) -> None:
    """A clock that was set back makes nothing younger than new."""
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)

    assert readable_age(now - timedelta(hours=hours), now) == text


@pytest.mark.parametrize(
    ("count", "text"), [(128 * 2**20, "128 MiB"), (2 * 2**30, "2 GiB"), (1_717_986_918, "1.6 GiB"), (512, "512 Bytes")]
)
def test_a_size_is_in_binary_units(count: int, text: str) -> None:
    """With a decimal where it matters."""
    assert readable_bytes(count) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\tb\0c \r\n", "a b c"),
        ("\x1b[2J红\u202e色", "[2J红 色"),
        ("\ud800", ""),
        ("0123456789", "0123456789"),
        ("0123456789x", "012345 ..."),
        ("a" + " " * 10_000 + "b", "a ..."),
    ],
)
def test_any_text_reads_as_one_line(text: str, line: str) -> None:
    """Ten characters here; what a terminal would obey is not shown."""
    assert readable_line(text, 10) == line


@given(st.text(), st.integers(5, 60))
def test_a_line_never_grows(text: str, most: int) -> None:
    """Nor has it an end in the middle."""
    line = readable_line(text, most)

    assert len(line) <= most
    assert line == "" or line.isprintable()


@pytest.mark.parametrize(
    ("failed", "processed", "fraction", "too_many"),
    [
        (0, 0, 0.0, False), (0, 10, 0.0, False), (1, 10, 0.0, True), (1, 1, 0.05, False), (1, 3, 0.05, False),
        (2, 3, 0.05, True), (2, 40, 0.05, False), (3, 40, 0.05, True), (29, 100, 0.29, False), (10, 10, 1.0, False),
    ],
)  # fmt: skip
def test_how_many_failures_are_too_many(failed: int, processed: int, fraction: float, too_many: bool) -> None:
    """More than the share that may; one alone only where none may."""
    report = VectorizeReport("run", processed, 1, processed - failed, 0, failed, 0, 0, 0, 0, 0, 1.0, StageSeconds())

    assert report.failed_too_many(fraction) is too_many

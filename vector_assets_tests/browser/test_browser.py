"""What people do on Dagster's pages, done there: a real server, a real browser, the real model."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from vector_assets.quality.vector_checks import VECTOR_CHECKS

from .pages import (
    await_colour,
    await_end,
    await_run,
    choose_partitions,
    configure,
    enlarge_the_log,
    launch,
    lineage,
    metadata,
    newer_batch,
    open_partition,
    open_the_asset,
    open_the_check,
    open_the_run_of_the_backfill,
    part,
    picture,
    read_the_failure,
    terminate,
)
from .server import BUSY, CHUNKS, COMPANY, LANDED, LONG, Server

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_run_shows_its_progress_while_it_works(page: "Page") -> None:
    """One partition, from the asset's page until it is materialized; the run's page shows later and later batches.

    A run that is canceled says in one sentence what it has committed, and another run embeds the rest.
    """
    open_the_asset(page)
    dialog = choose_partitions(page, "hk/annual", LONG)
    configure(page, dialog, "progress_interval_seconds: 0")
    launch(page, dialog)
    enlarge_the_log(page)

    first, _ = newer_batch(page, 0)
    second, batches = newer_batch(page, first)
    assert second < batches
    newer_batch(page, second)
    picture(page, "materialize.png")

    terminate(page)
    await_end(page, "Canceled")
    page.get_by_text(re.compile(rf"^canceled: \d+ of \d+ chunks of {LONG} were committed")).first.wait_for()
    assert not page.get_by_text("Stack Trace").count()

    open_the_asset(page)
    launch(page, choose_partitions(page, "hk/annual", LONG))
    await_end(page, "Success")
    open_partition(page, LONG)
    await_colour(page, LONG, "green")


def test_a_company_is_backfilled(page: "Page") -> None:
    """All partitions of one, found by typing its code."""
    open_the_asset(page)
    dialog = choose_partitions(page, "/AAPL", f"Select all ({len(COMPANY)})")
    dialog.get_by_text(f"{len(COMPANY)} partitions", exact=True).wait_for()
    picture(page, "backfill.png", part(dialog))
    launch(page, dialog)

    await_end(page, "100% completed")
    open_the_run_of_the_backfill(page)
    whole = rf"\[{len(COMPANY)}/{len(COMPANY)}\] us/\w+/AAPL · batch \d+/\d+ · .* · run (\d+)/\1 chunks \(100"
    page.get_by_text(re.compile(whole)).first.wait_for()
    open_partition(page, COMPANY[0])
    for key in COMPANY:
        await_colour(page, key, "green")


def test_a_failed_partition_is_red_and_says_why(page: "Page", server: Server) -> None:
    """Another run has it; when that has ended, it is tried again."""
    open_the_asset(page)
    with server.another_run_of(BUSY, "5b1e2c34"):
        launch(page, choose_partitions(page, BUSY, BUSY))
        await_end(page, "Failure")
    open_partition(page, BUSY)
    await_colour(page, BUSY, "red")
    message = read_the_failure(page)
    page.get_by_text(f"{BUSY} is being vectorized by vector_assets run 5b1e2c34").first.wait_for()
    above_the_trace = part(message)["y"] + 58  # three lines of text
    picture(page, "failed.png", {"x": 0, "y": 0, "width": 1440, "height": above_the_trace})

    open_the_asset(page)
    launch(page, choose_partitions(page, BUSY, BUSY))
    await_end(page, "Success")
    open_partition(page, BUSY)
    await_colour(page, BUSY, "green")


def test_the_lineage_is_shown(page: "Page") -> None:
    """Documents, the chunks cut from them, their vectors, and how complete they are; and vectors of another model."""
    chain = ["documents", "document_chunks", "vectorized_chunks", "coverage"]
    beside = ["document_chunks", "candidate_vectors", "serving_space"]
    index = [(vectors, "vector_index") for vectors in ("vectorized_chunks", "candidate_vectors")]
    arrows = [*pairwise(chain), *pairwise(beside), ("vectorized_chunks", "serving_space"), *index]
    assert sorted(lineage(page)) == sorted(arrows)
    picture(page, "lineage.png", part(page.locator("svg[class*=svgContainer]"), without=50))


def test_a_new_file_is_embedded_and_its_partition_shows_its_totals_and_its_checks(page: "Page", server: Server) -> None:
    """Nobody clicks: a sensor sees the file, and a run embeds it. How complete it is, and what each check saw."""
    server.start_sensors()
    server.land(LANDED)
    await_run(page, LANDED, "vector_assets_vectorize")
    open_partition(page, LANDED)

    totals = metadata(page)

    count = str(CHUNKS[LANDED])
    assert (totals["vectorized"], totals["chunks"], totals["coverage_percent"]) == (count, count, "100")
    assert totals["failed"] == "0 (0.0%)"  # in the table of diagnostics
    page.get_by_role("cell", name="summary").evaluate("cell => cell.scrollIntoView({block: 'center'})")
    picture(page, "partition.png")

    open_the_check(page, "complete")
    for check in VECTOR_CHECKS:
        page.get_by_text(check.name, exact=True).first.wait_for()
    page.get_by_text(f"{count} of {count} chunks are current.").wait_for()
    picture(page, "checks.png")

"""What two live spaces cost a writer, and how long a promotion takes.

Chunks are inserted by COPY into a database with no live space and into one with two, in turns. Then the spaces change
places while all of those chunks, and as many more as asked for, are there.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.null_embedder import NullEmbedder
from benchmarks.table import Table, add_json_option
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

# As long as a chunk of a filing is: about 190 tokens of English.
_TEXT = "net sales of the segment rose by four percent while costs fell " * 13

_DOCUMENT = """
INSERT INTO documents (market, doc_type, stock_code, source_uri, text, content_hash)
VALUES ('us', 'benchmark', 'SPACES', %s, '', '') RETURNING id
"""
_COPY = """
COPY document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash) FROM STDIN
"""


def copy_chunks(services: Services, chunks: int) -> float:
    """Insert so many chunks of a new document by COPY, and give the seconds."""
    with services.database.transaction() as connection:
        row = connection.execute(_DOCUMENT, (str(uuid4()),)).fetchone()
        assert row is not None
        document: UUID = row[0]
        before = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for number in range(chunks):
                copy.write_row((document, "", "", "", number, f"{number} {_TEXT}", b""))
        connection.commit()
        return time.perf_counter() - before


def empty(services: Services) -> None:
    """Delete all documents with their chunks, so that each round begins alike."""
    with services.database.transaction() as connection:
        connection.execute("TRUNCATE documents CASCADE")
        connection.commit()
        connection.execute("ANALYZE")


def main() -> None:
    """Print the ratio of the two kinds of database, then the milliseconds of promotions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000, help="inserted by each COPY")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--total", type=int, default=1_000_000, help="chunks while spaces are promoted")
    add_json_option(parser)
    arguments = parser.parse_args()
    first = NullEmbedder().space
    second = replace(first, model="other")
    with tempfile.TemporaryDirectory() as plain_home, tempfile.TemporaryDirectory() as home:
        with (
            Services(load_settings(home=Path(plain_home))) as plain,
            Services(load_settings(home=Path(home))) as live,
        ):
            live.spaces.register_first(first)
            live.spaces.add(second)
            table = Table("chunks", "no space/s", "two spaces/s", "ratio (each round)", "median")
            without: list[float] = []
            with_two: list[float] = []
            for _ in range(arguments.rounds):
                for services, seconds in ((plain, without), (live, with_two)):
                    empty(services)
                    seconds.append(copy_chunks(services, arguments.chunks))
            ratios = [two / none for two, none in zip(with_two, without, strict=True)]
            speeds = [arguments.chunks / statistics.median(seconds) for seconds in (without, with_two)]
            table.add(arguments.chunks, *speeds, ratios, statistics.median(ratios))
            for _ in range(0, arguments.total - arguments.chunks, arguments.chunks):
                copy_chunks(live, arguments.chunks)
            milliseconds = []
            for slug in (second.slug, first.slug) * arguments.rounds:
                before = time.perf_counter()
                live.spaces.promote(slug)
                milliseconds.append(1000 * (time.perf_counter() - before))
            print()
            table = Table("chunks", "milliseconds of a promotion (each)", "median", json_file=arguments.json)
            table.add(arguments.total, milliseconds, statistics.median(milliseconds))
        leave_embedded_server(Path(plain_home))
        leave_embedded_server(Path(home))


if __name__ == "__main__":
    main()

"""What the index gives and takes: recall@10 and speed beside an exact scan, with and without filters, and its build.

The vectors are made from the chunks of real filings (benchmarks.filing_vectors). Queries are like them: each is made
from a stored vector, and asked for by itself. The build runs as `vector-assets index` runs it. With --questions, real
questions are asked of vectors and terms together, their vectors given.

With --home, what is there already is kept: the rows, the terms and the index are made once, and a run that was
interrupted goes on with the part that it was at. A million vectors take 8 GB of disk.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import cast

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.embedding_cache import EmbeddingCache
from benchmarks.filing_vectors import fill_with_terms, fill_with_vectors, real_documents
from benchmarks.synthetic import Shape, teller
from benchmarks.table import Table, add_json_option
from vector_assets.domain.search import ChunkFilter
from vector_assets.domain.wording import readable_bytes
from vector_assets.embedders import AnyEmbedder
from vector_assets.index_upkeep import IndexOptions, IndexReport
from vector_assets.search import FilingsSearch, Search, Searcher, SearchFilter, Selection
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server
from vector_assets.storage.recall_samples import RecallSamples
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vector_index.build_progress import BuildPhase, BuildProgress
from vector_assets.vector_index.recall import (
    NEIGHBORS,
    Answer,
    ExactNeighbors,
    RecallQuery,
    like_question,
    measure_recall,
    queries_of,
)

_NEVER = 1 << 60


class Build:
    """Keeps what a build shows."""

    def __init__(self) -> None:
        self.heard: list[BuildProgress] = []
        self.ended = threading.Event()

    def notice(self, line: str) -> None:
        """Print it."""
        print(line, flush=True)

    def warning(self, line: str) -> None:
        """Print it."""
        print(f"warning: {line}", flush=True)

    def progress(self, progress: BuildProgress) -> None:
        """Keep it."""
        self.heard.append(progress)
        if progress.phase is BuildPhase.DONE:
            self.ended.set()


class MemoryOfBuild(threading.Thread):
    """Looks again and again how much memory the build's processes have touched beside PostgreSQL's shared buffers."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = str(home.resolve())
        self.stopped = threading.Event()
        self.most = 0

    def run(self) -> None:
        """Until it is stopped."""
        while not self.stopped.wait(0.5):
            self.most = max(self.most, sum(_graph_bytes(process, self._home) for process in psutil.process_iter()))


def _graph_bytes(process: psutil.Process, home: str) -> int:
    """What a server process at a build has of the graph: shared with its workers, or its own."""
    try:
        command = " ".join(process.cmdline())
        if not command.startswith("postgres:") or not ("CREATE INDEX" in command or "parallel worker" in command):
            return 0
        server = process.parent()
        if server is None or home not in " ".join(server.cmdline()):
            return 0
        parts = process.memory_maps(grouped=False)
    except psutil.Error:
        return 0
    return sum(part.pss for part in parts if "/dev/shm/PostgreSQL" in part.path or part.path in {"[heap]", "[anon]"})


def _server_cpu_seconds(home: Path) -> float:
    """Add up what the processes of the embedded server have computed: where others compute too, a search waits."""
    total = 0.0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            server = process.parent()
            if process.name() == "postgres" and server and str(home.resolve()) in " ".join(server.cmdline()):
                spent = process.cpu_times()
                total += spent.user + spent.system
    return total


def built(services: Services, meanwhile: bool, rebuild: bool) -> tuple[IndexReport, Build, int]:
    """Build and check the index, or check the one that an interrupted run has left.

    With `meanwhile`, embed chunks beside it, and print how much slower that is.
    """
    build, memory = Build(), MemoryOfBuild(services.settings.home)
    with services.database.transaction() as connection:
        connection.execute("SELECT 1")
    memory.start()
    with _embedding(services, build.ended) if meanwhile else nullcontext():
        report = services.index_upkeep.keep(services.space, IndexOptions(rebuild=rebuild), build)
    memory.stopped.set()
    memory.join()
    return report, build, memory.most


@contextmanager
def _embedding(services: Services, ended: threading.Event) -> Iterator[None]:
    """Embed texts, alone and then beside the work in the block until that has ended."""
    texts = services.embedder.tokenize([f"chunk {number} " + "of an annual report " * 40 for number in range(64)])
    speeds: dict[bool, list[float]] = {False: [], True: []}

    def embed(beside: bool) -> None:
        began = time.perf_counter()
        services.embedder.embed(texts)
        speeds[beside].append(len(texts) / (time.perf_counter() - began))

    for _ in range(6):
        embed(beside=False)

    def go_on() -> None:
        while not ended.is_set():
            embed(beside=True)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    alone, beside = (float(np.median(speeds[key])) for key in (False, True))
    print(f"embedding: {alone:.0f} chunks/s alone, {beside:.0f} beside the build: {alone / beside:.2f} times slower")


def queries(services: Services, each: int) -> list[RecallQuery]:
    """So many of each market, with and without filters, and each with its company."""
    state = services.index_upkeep.catalog.state(services.space.slug)
    samples = RecallSamples(services.database, 0).sample(services.space.slug, state.vectors, each, seed=17)
    found: list[RecallQuery] = []
    for number, (partition, vector) in enumerate(samples):
        asked = like_question(vector, 1_000_000 + number)
        found += [
            RecallQuery(query.vector, query.where, "all", query.width)
            for query in queries_of(partition, asked, with_company=True)
        ]
        others = ChunkFilter((next(name for name in ("us", "cn") if name != partition.market),))
        found.append(RecallQuery(asked, others, "all", "another market"))
    return found


def measure(services: Services, asked: Sequence[RecallQuery], table: Table, exact_queries: int) -> None:
    """A row for each width of filter; `CPU ms` is what the server computes for a search, on the average."""
    neighbors = ExactNeighbors(asked)
    for window in RecallSamples(services.database, 0).windows(services.space.slug):
        neighbors.add(window)
    exact = neighbors.all()
    index_from = services.settings.index_from_vectors
    ways = {"as searches do": index_from, "exact scan": _NEVER}
    for width in dict.fromkeys(query.width for query in asked):
        for way, least in ways.items():
            store = PostgresVectorStore(services.database, services.space.slug, least)
            chosen = [place for place, query in enumerate(asked) if query.width == width]
            chosen = chosen if least == index_from else chosen[:: max(len(chosen) // exact_queries, 1)]
            seconds: list[float] = []

            def answer(query: RecallQuery, store: PostgresVectorStore = store, taken: list[float] = seconds) -> Answer:
                began = time.perf_counter()
                hits = store.nearest(query.vector, query.where, NEIGHBORS)
                taken.append(time.perf_counter() - began)
                return Answer([hit.score for hit in hits if hit.score is not None], by_index=True, seconds=taken[-1])

            for place in chosen[:3]:
                answer(asked[place])
            seconds.clear()
            cpu = _server_cpu_seconds(services.settings.home)
            report = measure_recall(0, [asked[place] for place in chosen], [exact[place] for place in chosen], answer)
            (row,) = report.rows
            cpu = 1000 * (_server_cpu_seconds(services.settings.home) - cpu) / len(seconds)
            p50, p95 = (1000 * float(np.quantile(seconds, part)) for part in (0.5, 0.95))
            table.add(width, way, row.queries, row.recall, row.missing, p50, p95, cpu)


def main() -> None:
    """Fill, build, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, required=True, help="a landing directory with real documents")
    parser.add_argument("--cache", type=Path, required=True, help="a folder for the embeddings of its chunks")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=5_000)
    parser.add_argument("--queries", type=int, default=100, help="of each market")
    parser.add_argument("--exact-queries", type=int, default=20, help="for the time of the exact scan")
    parser.add_argument("--meanwhile", action="store_true", help="embed beside the build, to see how much slower it is")
    parser.add_argument("--rebuild", action="store_true", help="build the index also where the home has one")
    parser.add_argument("--questions", type=Path, nargs="*", default=[], metavar="FILE", help="JSON Lines with `query`")
    parser.add_argument("--home", type=Path, help="a home that stays; it is filled if it is empty")
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder)
        with Services(load_settings(home=home)) as services:
            _fill(services, arguments)
            if arguments.rebuild or services.index_upkeep.catalog.state(services.space.slug).in_use is None:
                _report_build(services, arguments.meanwhile, arguments.rebuild)
            columns = ("filter", "way", "queries", "recall@10", "hits missing", "p50 ms", "p95 ms", "CPU ms")
            measure(
                services,
                queries(services, arguments.queries),
                Table(*columns, json_file=arguments.json),
                arguments.exact_queries,
            )
            if arguments.questions:
                measure_hybrid(services, arguments.questions, arguments.cache)
        if arguments.home is None:
            leave_embedded_server(home)


def _fill(services: Services, arguments: argparse.Namespace) -> None:
    """Make what the home lacks: chunks with vectors, and their terms where questions are asked."""
    shape = Shape(
        partitions=arguments.partitions,
        chunks=arguments.vectors // arguments.partitions,
        documents=2,
        pending_partitions=0,
        quarantined_partitions=0,
        vectors=0,
    )
    state = None
    if services.spaces.all():
        state = services.index_upkeep.catalog.state(services.space.slug)
        assert state.vectors == shape.total, f"the home has {state.vectors:,} vectors; give it another --home"
    with services.database.transaction() as connection:
        has_terms = connection.execute("SELECT FROM chunk_terms LIMIT 1").fetchone() is not None
    if state and (has_terms or not arguments.questions):
        return
    documents = real_documents(services, arguments.filings, arguments.cache)
    if state is None:
        fill_with_vectors(services, documents, shape, teller())
    if arguments.questions and not has_terms:
        fill_with_terms(services, documents, shape, teller())


class GivenVectors:
    """Embeds a question by looking its vector up: what is measured is the search."""

    def __init__(self, embedder: AnyEmbedder, vectors: dict[str, NDArray[np.float32]]) -> None:
        self.space = embedder.space
        self._vectors = vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Give the vector of a question."""
        return self._vectors[text]


def measure_hybrid(services: Services, files: Sequence[Path], cache: Path) -> None:
    """Ask each question of vectors and terms, without a filter, with one on a market, and on one company."""
    questions = [json.loads(line)["query"] for file in files for line in file.read_text("utf-8").splitlines() if line]
    embeddings = EmbeddingCache(cache, services.embedder).questions(questions)
    embedder = GivenVectors(services.embedder, dict(zip(questions, embeddings, strict=True)))
    vectors = PostgresVectorStore(services.database, services.space.slug, services.settings.index_from_vectors)
    search = Search(services.spaces, lambda _: Searcher(cast(AnyEmbedder, embedder), vectors), services.chunk_terms)
    table = Table("hybrid, filter", "questions", "hits missing", "p50 ms", "p95 ms", json_file=None)
    keys = sorted(services.searchable_chunks.partitions())
    for width, wheres in (
        ("none", [SearchFilter()]),
        ("market", [SearchFilter(Selection(markets=(market,))) for market in ("us", "cn")]),
        ("company", [SearchFilter(Selection(companies=(key.stock_code,))) for key in keys[:: len(keys) // 20]]),
    ):
        engine, seconds, missing = FilingsSearch(search, services.searchable_chunks), [], 0
        for place, question in enumerate([*questions[:5], *questions]):
            began = time.perf_counter()
            hits = engine.find(question, wheres[place % len(wheres)], NEIGHBORS)
            seconds.append(time.perf_counter() - began)
            missing += max(NEIGHBORS - len(hits), 0)
        p50, p95 = (1000 * float(np.quantile(seconds[5:], part)) for part in (0.5, 0.95))
        table.add(width, len(questions), missing, p50, p95)


def _report_build(services: Services, meanwhile: bool, rebuild: bool) -> None:
    report, build, memory = built(services, meanwhile, rebuild)
    if report.recall is not None:
        print(f"ef_search {report.recall.chosen}, lowest recall@10 of a group {report.recall.report.lowest:.3f}")
    if report.build_seconds is None:
        return
    forecast, seconds = report.plan.forecast, report.build_seconds
    print(
        f"build: {seconds:.0f} s (forecast {forecast.seconds:.0f}), memory {readable_bytes(memory)} (forecast "
        f"{readable_bytes(forecast.memory_bytes)}), index {readable_bytes(report.used.bytes if report.used else 0)} "
        f"(forecast {readable_bytes(forecast.index_bytes)})"
    )
    for share in (0.25, 0.5, 0.75):
        at = min(build.heard, key=lambda item: abs(item.elapsed_seconds - share * seconds), default=None)
        if at is not None and at.seconds_left is not None:
            left = seconds - at.elapsed_seconds
            off = (at.seconds_left - left) / left
            print(f"at {share:.0%} of the time: {at.line()} · {left:.0f} s were left ({off:+.0%})")


if __name__ == "__main__":
    main()

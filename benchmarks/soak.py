"""Minutes of random faults against continuous writers; in the end nothing may be lost, doubled or wrong.

Writers insert, edit and delete chunks all the time, some with transactions that stay open for a while. Worker processes
vectorize the partitions again and again, with an embedder that costs little and fails on some texts, and without the
lock that keeps two runs out of one partition. Meanwhile workers are killed, connections cut, the server crashed and
restarted, vectors taken away. Then the writers stop, everything is let run to completion, and the tables are checked:
against what must hold of them, and against what each writer was told is committed. Exit code 1: something is broken.
"""

import argparse
import itertools
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import UUID

import psycopg
from sqlalchemy import URL, make_url

from benchmarks.table import Table, add_json_option
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.errors import DatabaseError
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.embedded_server import leave_embedded_server, start_embedded_server
from vector_assets.storage.quarantine import Quarantine
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import Vectorizer
from vector_assets_tests.fakes import SPACE, HashEmbedder
from vector_assets_tests.invariants import DOUBLED, LOST, WRONG, Findings, find_broken

PARTITIONS = [
    PartitionKey(market, kind, code)
    for market, kind in (("us", "annual_report"), ("hk", "announcement"), ("cn", "quarterly_report"))
    for code in ("SOAK1", "SOAK2")
]
POISON = "POISON"
# A writer with more chunks than this deletes more than it inserts, so that an hour is as fast as a minute.
MOST_CHUNKS = 2000
# A restart takes a second or two; longer than this nothing stands still unless something is stuck.
STALLED_SECONDS = 60.0
VECTORS = f"chunk_vectors_{SPACE.slug}"

INSERT = """
INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
VALUES (%s, '', '', '', %s, %s, '') RETURNING id
"""


class Counts:
    """What happened how often; many threads count."""

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str, times: int = 1) -> None:
        """Once more, or so many times."""
        with self._lock:
            self._counter[what] += times

    def __getitem__(self, what: str) -> int:
        return self._counter[what]

    def of(self, kind: str) -> str:
        """Those whose names begin with the kind, e.g. `kill 31, cut 40`."""
        with self._lock:
            found = sorted((name, times) for name, times in self._counter.items() if name.startswith(kind))
        return ", ".join(f"{name.removeprefix(kind)} {times:,}" for name, times in found) or "none"


class Writer(threading.Thread):
    """Another program that owns one document in each partition and keeps changing their chunks."""

    def __init__(self, url: URL, number: int, seed: int, counts: Counts, stop: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.chunks: dict[UUID, str] = {}
        self.lost: list[UUID] = []
        self._url = url
        self._name = f"writer {number}"
        self._documents: list[UUID] = []
        self._random = random.Random(seed)
        self._places = itertools.count()
        self._counts = counts
        self._stop_asked = stop

    def run(self) -> None:
        """`chunks` is what this writer was told is committed: id -> text; `lost` are ids found otherwise afterwards."""
        while not self._stop_asked.is_set():
            attempted: dict[UUID, str] = {}
            try:
                with connect(self._url) as connection:
                    while not self._stop_asked.is_set():
                        attempted = dict(self.chunks)
                        self._transaction(connection, attempted)
                        self.chunks = attempted
                        time.sleep(self._random.random() * 0.05)
            except psycopg.Error as error:
                self._counts.add(f"writer {error.sqlstate or 'cut off'}")
                self._look_what_became_of(attempted)

    def _transaction(self, connection: psycopg.Connection, after: dict[UUID, str]) -> None:
        with connection.transaction():
            if not self._documents:
                self._create_documents(connection)
            done = Counter(self._write(connection, after) for _ in range(self._random.randint(1, 20)))
            if self._random.random() < 0.05:
                time.sleep(self._random.uniform(0.2, 3))
        for what, times in done.items():
            self._counts.add(what, times)

    def _write(self, connection: psycopg.Connection, after: dict[UUID, str]) -> str:
        full = len(after) > MOST_CHUNKS
        what = self._random.choices(["insert", "edit", "delete"], [1 if full else 4, 4, 2])[0]
        text = self._text()
        if what == "insert" or not after:
            document = self._random.choice(self._documents)
            row = connection.execute(INSERT, (document, next(self._places), text)).fetchone()
            assert row is not None
            after[row[0]] = text
            return "insert"
        id_ = self._random.choice(list(after))
        if what == "edit":
            connection.execute("UPDATE document_chunks SET text = %s WHERE id = %s", (text, id_))
            after[id_] = text
        else:
            connection.execute("DELETE FROM document_chunks WHERE id = %s", (id_,))
            del after[id_]
        return what

    def _text(self) -> str:
        """Few enough that a text comes back now and then; one in fifty is poison."""
        words = "net sales of the segment rose " * self._random.randint(1, 8)
        return f"{POISON if self._random.random() < 0.02 else words}{self._random.randint(0, 5000)}"

    def _create_documents(self, connection: psycopg.Connection) -> None:
        query = "INSERT INTO documents (market, doc_type, stock_code, source_uri, title, text, content_hash) "
        for key in PARTITIONS:
            values = (key.market, key.doc_type, key.stock_code, f"{key}/{self._name}", self._name)
            row = connection.execute(query + "VALUES (%s, %s, %s, %s, %s, '', '') RETURNING id", values).fetchone()
            assert row is not None
            self._documents.append(row[0])

    def _look_what_became_of(self, attempted: dict[UUID, str]) -> None:
        """A transaction that was cut off was committed as a whole, or not at all."""
        found = self._read()
        if found not in (self.chunks, attempted):
            self.lost.extend({id_ for id_, _ in self.chunks.items() ^ found.items()})
        self.chunks = found

    def _read(self) -> dict[UUID, str]:
        """What is there, as soon as there is an answer."""
        mine = "FROM documents d LEFT JOIN document_chunks c ON c.document_id = d.id WHERE d.title = %s"
        while True:
            with suppress(psycopg.Error), connect(self._url) as connection:
                rows = connection.execute(f"SELECT d.id, c.id, c.text {mine}", (self._name,)).fetchall()
                self._documents = sorted({row[0] for row in rows})
                return {id_: text for _, id_, text in rows if id_ is not None}
            time.sleep(0.2)


def work(url: str, seed: int, pipe: Connection) -> None:
    """A worker process: vectorizes a partition, then another, until it is killed. Tells each batch after its commit."""
    logging.disable()  # waits for a server that was taken away, told for each
    chance = random.Random(seed)
    embedder = HashEmbedder(SPACE, POISON)
    embedder.before = lambda texts: time.sleep(chance.random() * 0.0005 * len(texts))
    database = Database(make_url(url))

    def told(progress: BatchProgress) -> None:
        pipe.send(Counter(f"chunk {chunk.outcome}" for chunk in progress.batch_chunks))

    while True:
        try:
            embedder.concurrency = chance.randint(1, 3)
            embedder.embedded.clear()
            key = chance.choice(PARTITIONS)
            if chance.random() < 0.05:
                Quarantine(database).release(SPACE.slug, [key])
            force = chance.random() < 0.03
            vectorizer(database, embedder, chance.randint(1, 64)).vectorize_partition(key, force, told)
            pipe.send(Counter({"run ended well": 1}))
        except DatabaseError as error:
            pipe.send(Counter({f"run {type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".strip(): 1}))
            time.sleep(chance.random() * 0.2)
        except Exception:  # noqa: BLE001  (whatever it is, it is what this program looks for)
            pipe.send(traceback.format_exc())


def vectorizer(database: Database, embedder: HashEmbedder, batch_size: int) -> Vectorizer:
    """Over the real stores."""
    chunks, vectors = PostgresChunkStore(database, SPACE.slug), PostgresVectorStore(database, SPACE.slug)
    return Vectorizer(chunks, vectors, embedder, batch_size)


class Workers:
    """Some worker processes; each that ends is followed by another until `stop` is called."""

    def __init__(self, url: URL, count: int, chance: random.Random, counts: Counts) -> None:
        self.unexpected: list[str] = []
        self.last_commit = time.monotonic()
        self._url = url.render_as_string(hide_password=False)
        self._chance = chance
        self._counts = counts
        # One process imports what takes long, and workers are forked from it at once.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["vector_assets_tests.fakes"])
        self._processes: list[BaseProcess] = []
        self._listeners: list[threading.Thread] = []
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        given = (self._url, self._chance.getrandbits(32), sender)
        process = self._context.Process(target=work, args=given, daemon=True)
        process.start()
        sender.close()
        listener = threading.Thread(target=self._listen, args=(receiver,), daemon=True)
        listener.start()
        self._processes.append(process)
        self._listeners.append(listener)

    def _listen(self, receiver: Connection) -> None:
        with receiver, suppress(EOFError, OSError):
            while True:
                message = receiver.recv()
                if isinstance(message, str):
                    self.unexpected.append(message)
                    continue
                for what, times in message.items():
                    self._counts.add(what, times)
                if any(what.startswith("chunk") for what in message):
                    self.last_commit = time.monotonic()

    def kill_one(self) -> None:
        """In the middle of whatever it does."""
        self._kill(self._chance.choice(self._processes))
        self._start()

    def _kill(self, process: BaseProcess) -> None:
        process.kill()
        process.join()
        self._processes.remove(process)

    def stop(self) -> None:
        """Kill all, and hear what they still said."""
        for process in list(self._processes):
            self._kill(process)
        for listener in self._listeners:
            listener.join()


class Faults:
    """What goes wrong, at random."""

    def __init__(self, home: Path, url: URL, workers: Workers, chance: random.Random, counts: Counts) -> None:
        self._home = home
        self._url = url
        self._workers = workers
        self._chance = chance
        self._counts = counts
        # By how often each is chosen.
        self._kinds: list[tuple[int, str, Callable[[], bool]]] = [
            (40, "worker killed", self._kill_worker),
            (35, "connection cut", self._cut_connection),
            (4, "server crashed", self._crash_server),
            (3, "server restarted", self._restart_server),
            (8, "vectors deleted", lambda: self._execute(f"DELETE FROM {VECTORS} WHERE random() < 0.05")),
            (1, "all vectors deleted", lambda: self._execute(f"TRUNCATE {VECTORS}")),
            (9, "row held", self._hold_row),
        ]

    def one(self) -> None:
        """Do one; the server may be away, and then nothing is done."""
        _, name, do = self._chance.choices(self._kinds, [weight for weight, _, _ in self._kinds])[0]
        with suppress(psycopg.Error):
            if do():
                self._counts.add(f"fault {name}")

    def _kill_worker(self) -> bool:
        self._workers.kill_one()
        return True

    def _cut_connection(self) -> bool:
        pid = self._backend()
        return pid is not None and self._execute(f"SELECT pg_terminate_backend({pid})")

    def _crash_server(self) -> bool:
        """When one of its processes is killed, the server ends all others and recovers as after a power cut."""
        pid = self._backend()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def _restart_server(self) -> bool:
        # Not while it recovers from a crash: PostgreSQL then takes its time to stop, up to a minute.
        connect(self._url).close()
        leave_embedded_server(self._home)  # whose only member this process is, so that it stops
        start_embedded_server(self._home)
        return True

    def _hold_row(self) -> bool:
        """Somebody has changed a chunk and does not commit; then they do, or think better of it."""
        with connect(self._url) as connection, connection.transaction(force_rollback=self._chance.random() < 0.5):
            connection.execute(
                "UPDATE document_chunks SET chunk_index = chunk_index WHERE id = "
                "(SELECT chunk_id FROM pending_chunks ORDER BY chunk_id DESC LIMIT 1)"
            )
            time.sleep(self._chance.random())
        return True

    def _backend(self) -> int | None:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend' ORDER BY random() LIMIT 1"
        )
        with connect(self._url) as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None

    def _execute(self, statement: str) -> bool:
        with connect(self._url) as connection:
            connection.execute(statement.encode())
        return True


def connect(url: URL) -> psycopg.Connection:
    """Outside of any pool, as other programs do; autocommit."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=10, options="-c search_path=vector_assets,public")


def soak(home: Path, seconds: float, seed: int, counts: Counts) -> list[str]:
    """Run writers, workers and faults for so long; give what is broken in the end."""
    chance = random.Random(seed)
    with Services(load_settings(home=home)) as services:
        SpaceRegistry(services.database).register_first(SPACE)
    url = services.url
    stop = threading.Event()
    writers = [Writer(url, number, chance.getrandbits(32), counts, stop) for number in range(3)]
    for writer in writers:
        writer.start()
    workers = Workers(url, 2, chance, counts)
    faults = Faults(home, url, workers, chance, counts)
    began = told = time.monotonic()
    broken: list[str] = []
    while time.monotonic() - began < seconds and not broken:
        time.sleep(chance.uniform(0.1, 1.2))
        faults.one()
        if time.monotonic() - told >= 5:
            told = time.monotonic()
            print(_line(told - began, counts), file=sys.stderr, flush=True)
        if time.monotonic() - workers.last_commit > STALLED_SECONDS:
            broken.append(f"nothing was committed for {STALLED_SECONDS:.0f} s")
    stop.set()
    for writer in writers:
        writer.join()
    workers.stop()
    broken += [f"an error that is not ours: {text}" for text in workers.unexpected]
    return broken + _settle(url, writers, counts)


def _settle(url: URL, writers: list[Writer], counts: Counts) -> list[str]:
    """Let everything run to completion without faults; give what is broken."""
    embedder = HashEmbedder(SPACE, POISON)
    database = Database(url)
    broken = _messages(find_broken(database, embedder, SPACE), counts)
    for freed in (False, True):
        if freed:
            Quarantine(database).release(SPACE.slug, PARTITIONS)
        for key in PARTITIONS:
            report = vectorizer(database, embedder, 64).vectorize_partition(key)
            counts.add("settled", report.vectorized_count)
    findings = find_broken(database, embedder, SPACE)
    broken += _messages(findings, counts)
    expected = {id_: text for writer in writers for id_, text in writer.chunks.items()}
    with database.transaction() as connection:
        found = dict(connection.execute("SELECT id, text FROM document_chunks").fetchall())
    database.close()
    lost = {id_ for id_, _ in expected.items() ^ found.items()} | {id_ for writer in writers for id_ in writer.lost}
    poison = {id_ for id_, text in found.items() if POISON in text}
    unsettled = {*findings.pending, *(poison ^ set(findings.quarantined))}
    counts.add("lost", len(lost) + len(unsettled))
    counts.add("chunks in the end", findings.chunks)
    if lost:
        broken.append(f"{len(lost)} chunks are not as they were committed: {sorted(lost)[:5]}")
    if unsettled:
        broken.append(f"{len(unsettled)} chunks are neither current nor poison: {sorted(unsettled)[:5]}")
    return broken


def _messages(findings: Findings, counts: Counts) -> list[str]:
    for name, kind in (("lost", LOST), ("doubled", DOUBLED), ("wrong", WRONG)):
        counts.add(name, len(findings.broken.get(kind, [])))
    return [findings.message()] if findings.broken else []


def _line(seconds: float, counts: Counts) -> str:
    return (
        f"{seconds:5.0f} s  inserted {counts['insert']:,}, edited {counts['edit']:,}, deleted {counts['delete']:,}; "
        f"vectors {counts['chunk vectorized']:,}, superseded {counts['chunk superseded']:,}, "
        f"failed {counts['chunk failed']:,}; faults: {counts.of('fault ')}; runs: {counts.of('run ')}"
    )


def main() -> None:
    """Print a row; exit with 1 if anything is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of what is chosen at random; when it happens is not")
    add_json_option(parser)
    arguments = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed
    counts = Counts()
    with tempfile.TemporaryDirectory() as home:
        broken = soak(Path(home), arguments.minutes * 60, seed, counts)
        leave_embedded_server(Path(home))
    table = Table(
        "minutes", "seed", "faults", "runs", "inserted", "edited", "deleted", "vectors committed", "superseded",
        "failed", "lost", "doubled", "wrong", json_file=arguments.json,
    )  # fmt: skip
    table.add(
        arguments.minutes, str(seed), counts.of("fault "), counts.of("run "), counts["insert"], counts["edit"],
        counts["delete"], counts["chunk vectorized"] + counts["settled"], counts["chunk superseded"],
        counts["chunk failed"], counts["lost"], counts["doubled"], counts["wrong"],
    )  # fmt: skip
    for line in broken:
        print(line, file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()

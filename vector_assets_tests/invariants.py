"""What must hold of the tables at any moment, whatever was killed, cut off or edited before.

They are read from the raw rows, not by the product's own conditions, which are checked too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import numpy as np

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import EmbeddingSpace, Vectors
from vector_assets.ports import Embedder
from vector_assets.storage.database import Database

from .memory.database import MemoryDatabase
from .stores import AnyDatabase, stores_of

LOST = "is in no queue and has no vector of its text: it is lost"
DOUBLED = "has two vectors"
WRONG = "has a vector that is not its text's: it is wrong"

_SHOWN = 5

# One row a chunk: is it queued, has it a vector of its present text and place, is it quarantined, and is it due?
_CHUNKS = """
SELECT c.id, c.market || '/' || c.doc_type || '/' || c.stock_code, c.text, p.chunk_id IS NULL, v.embedding,
       (v.content_hash, v.market, v.doc_type, v.stock_code) = (c.content_hash, c.market, c.doc_type, c.stock_code),
       coalesce(p.next_attempt_at = 'infinity', false), coalesce(p.next_attempt_at <= now(), false),
       coalesce(p.attempts, 0)
FROM document_chunks c
LEFT JOIN {vectors} v ON v.chunk_id = c.id
LEFT JOIN pending_chunks p ON p.chunk_id = c.id AND p.space = %(space)s
ORDER BY c.id
"""

# What no row may be. Each gives the ids of chunks.
_NEVER = {
    DOUBLED: "SELECT chunk_id FROM {vectors} GROUP BY chunk_id HAVING count(*) > 1",
    "has a vector or is queued, but is not there": """
        SELECT chunk_id FROM (SELECT chunk_id FROM {vectors} UNION SELECT chunk_id FROM pending_chunks) found
        WHERE NOT EXISTS (SELECT FROM document_chunks c WHERE c.id = found.chunk_id)""",
    "is queued with another text or in another partition": """
        SELECT c.id FROM document_chunks c JOIN pending_chunks p ON p.chunk_id = c.id
        WHERE (p.content_hash, p.market, p.doc_type, p.stock_code)
              <> (c.content_hash, c.market, c.doc_type, c.stock_code)""",
    "is queued in a space that is not live": """
        SELECT p.chunk_id FROM pending_chunks p LEFT JOIN embedding_spaces s ON s.slug = p.space
        WHERE s.status IS NULL OR s.status = 'retired'""",
    "is queued twice": """
        SELECT chunk_id FROM pending_chunks GROUP BY space, chunk_id HAVING count(*) > 1""",
    "has not the hash of its text": """
        SELECT id FROM document_chunks WHERE content_hash <> sha256(convert_to(text, 'UTF8'))""",
    "is not in its document's partition": """
        SELECT c.id FROM document_chunks c JOIN documents d ON d.id = c.document_id
        WHERE (c.market, c.doc_type, c.stock_code) <> (d.market, d.doc_type, d.stock_code)""",
    "has its place twice": """
        SELECT max(id::text)::uuid FROM document_chunks GROUP BY document_id, chunk_index HAVING count(*) > 1""",
    "is in a partition whose digest is not the sum of its hashes": """
        SELECT one FROM
            (SELECT market, doc_type, stock_code, min(id::text)::uuid AS one,
                    sum(('x' || encode(substr(content_hash, 1, 8), 'hex'))::bit(64)::bigint) AS digest
             FROM document_chunks GROUP BY 1, 2, 3) found
        FULL JOIN (SELECT market, doc_type, stock_code, sum(digest) AS digest FROM chunk_counts GROUP BY 1, 2, 3
                   HAVING sum(digest) <> 0) counted USING (market, doc_type, stock_code)
        WHERE found.digest IS DISTINCT FROM counted.digest""",
    "has a vector in a partition whose vectors are counted otherwise": """
        SELECT one FROM
            (SELECT market, doc_type, stock_code, min(chunk_id::text)::uuid AS one, count(*) AS vectors,
                    sum(token_count) AS tokens, sum(token_count - tokens_embedded) AS lost
             FROM {vectors} GROUP BY 1, 2, 3) found
        FULL JOIN (SELECT market, doc_type, stock_code, sum(vectors) AS vectors, sum(tokens) AS tokens,
                          sum(tokens_lost) AS lost
                   FROM vector_counts WHERE 'chunk_vectors_' || space = '{vectors}' GROUP BY 1, 2, 3
                   HAVING sum(vectors) <> 0) counted USING (market, doc_type, stock_code)
        WHERE (found.vectors, found.tokens, found.lost) IS DISTINCT FROM (counted.vectors, counted.tokens, counted.lost)
        """,
}


@dataclass
class Findings:
    """Chunks by what they are, and those that break something, by what they break; `failed` has the attempts."""

    current: list[UUID] = field(default_factory=list)
    pending: list[UUID] = field(default_factory=list)
    quarantined: list[UUID] = field(default_factory=list)
    failed: dict[UUID, int] = field(default_factory=dict)
    broken: dict[str, list[UUID]] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """All there are."""
        return len(self.current) + len(self.pending) + len(self.quarantined)

    def add(self, what: str, *ids: UUID) -> None:
        """Chunks that break something."""
        self.broken.setdefault(what, []).extend(ids)

    def message(self) -> str:
        """A line for each thing that is broken, with the first ids."""
        lines = [
            f"{len(ids):,} chunks, each of which {what}: {', '.join(map(str, ids[:_SHOWN]))}"
            + (" ..." if len(ids) > _SHOWN else "")
            for what, ids in self.broken.items()
        ]
        counts = f"{len(self.current):,} current, {len(self.pending):,} pending, {len(self.quarantined):,} quarantined"
        return "\n".join([f"of {self.chunks:,} chunks ({counts})", *lines])


def check_invariants(database: AnyDatabase, embedder: Embedder, space: EmbeddingSpace | None = None) -> Findings:
    """Check all that must hold in a live space (the embedder's own, if none is given).

    The embedder must not fail on a text that has a vector. Nothing may write to the tables meanwhile.

    Raises:
        AssertionError: something is broken; the message lists what, with the ids of chunks.
    """
    findings = find_broken(database, embedder, space or embedder.space)
    assert not findings.broken, findings.message()
    return findings


def find_broken(database: AnyDatabase, embedder: Embedder, space: EmbeddingSpace) -> Findings:
    """The same, without raising."""
    findings = Findings()
    if isinstance(database, MemoryDatabase):
        rows = _rows_in_memory(database, space.slug)
    else:
        rows = _rows_in_postgres(database, space.slug, findings)
    stored = []
    for row in rows:
        has = row.vector is not None and row.is_current
        # The other way round is right: a text that was edited there and back is pending beside its former vector.
        if row.says and not has:
            findings.add(LOST, row.id)
        state = findings.current if row.says else findings.quarantined if row.failed else findings.pending
        state.append(row.id)
        if row.attempts:
            findings.failed[row.id] = row.attempts
        if row.failed and row.attempts < 2:
            findings.add("is quarantined after less than two attempts", row.id)
        if has:
            stored.append((row.id, row.text, row.vector))
    _check_vectors(findings, stored, embedder)
    _check_status(findings, rows, database, space.slug)
    return findings


class _Row(NamedTuple):
    """A chunk: whether it is in no queue, which vector there is, whether it is quarantined or due, and its attempts."""

    id: UUID
    partition: str
    text: str
    says: bool
    vector: Vectors | None
    is_current: bool
    failed: bool
    is_due: bool
    attempts: int


def _rows_in_postgres(database: Database, slug: str, findings: Findings) -> list[_Row]:
    """By id; what no row may be is found on the way."""
    vectors = f"chunk_vectors_{slug}"
    with database.transaction() as connection:
        for what, query in _NEVER.items():
            if ids := [row[0] for row in connection.execute(query.format(vectors=vectors))]:
                findings.add(what, *ids)
        rows = connection.execute(_CHUNKS.format(vectors=vectors), {"space": slug}).fetchall()
    return [
        _Row(*row[:4], None if row[4] is None else np.array(row[4].to_list(), np.float32), *row[5:]) for row in rows
    ]


def _rows_in_memory(database: MemoryDatabase, slug: str) -> list[_Row]:
    """By id."""
    rows = []
    for id_, chunk in sorted(database.chunks.items()):
        vector, queued = database.vectors[slug].get(id_), database.queued(chunk, slug)
        is_current = vector is not None and (vector.content_hash, vector.partition) == (
            chunk.content_hash,
            chunk.partition,
        )
        failed = queued is not None and queued.next_attempt_at is None
        due, attempts = (queued.is_due, queued.attempts) if queued else (False, 0)
        embedding = None if vector is None else vector.embedding.astype(np.float32)
        says = queued is None
        rows.append(_Row(id_, str(chunk.partition), chunk.text, says, embedding, is_current, failed, due, attempts))
    return rows


def _check_vectors(findings: Findings, stored: Sequence[tuple[UUID, str, Vectors]], embedder: Embedder) -> None:
    """To the last bit of what halfvec keeps."""
    if not stored:
        return
    tokenized: list[TokenizedText] = embedder.tokenize([text for _, text, _ in stored])
    for (id_, _, vector), expected in zip(stored, embedder.embed(tokenized), strict=True):
        if not np.array_equal(vector, expected.astype(np.float16).astype(np.float32)):
            findings.add(WRONG, id_)


def _check_status(findings: Findings, rows: Sequence[_Row], database: AnyDatabase, slug: str) -> None:
    """The product counts in each partition what the rows say."""
    current, quarantined = set(findings.current), set(findings.quarantined)
    counted: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        before = counted.get(row.partition, (0, 0, 0))
        kind = 0 if row.id in current else 2 if row.id in quarantined else 1
        counted[row.partition] = tuple(n + (kind == at) for at, n in enumerate(before))
    stores = stores_of(database)
    status = stores.status.status(slug)
    if {str(item.partition): (item.current, item.pending, item.quarantined) for item in status} != counted:
        findings.add(f"is counted otherwise by the status {status} than by its rows {counted}")
    pending = {str(item.partition): item.pending for item in stores.status.pending_partitions(slug)}
    due = Counter(row.partition for row in rows if row.is_due)
    if pending != due:
        findings.add(f"is counted otherwise by the pending partitions {pending} than by its rows {due}")
    failed = stores.quarantine.chunks(slug, [item.partition for item in status])
    if wrong := sorted({item.chunk_id for item in failed if item.is_quarantined} ^ quarantined):
        findings.add("is listed as quarantined and is not, or is not listed", *wrong)
    if wrong := sorted({item.chunk_id for item in failed} ^ set(findings.failed)):
        findings.add("is listed as failed and is not, or is not listed", *wrong)

"""Embedding spaces, the queue of chunks that have no current vector, and counts per partition.

The tables of vectors are made per embedding space, when a space is registered (storage/spaces.py).
"""

from ..triggers import FUNCTION

# A filling space is kept up to date and not searched, the serving one is searched too, a retired one is only kept.
# `provider` serves the model over HTTP, and `request` is what it is asked beside the text (JSON); empty: the model runs
# with the product.
SPACES = """
CREATE TABLE embedding_spaces (
    slug            text COLLATE "C" PRIMARY KEY CHECK (slug ~ '^[a-z0-9_]{1,40}$'),
    model           text NOT NULL,
    revision        text NOT NULL,
    weights_digest  text NOT NULL,
    pooling         text NOT NULL,
    document_prompt text NOT NULL,
    query_prompt    text NOT NULL,
    dimension       integer NOT NULL CHECK (dimension > 0),
    max_tokens      integer NOT NULL CHECK (max_tokens > 0),
    provider        text NOT NULL DEFAULT '',
    request         text NOT NULL DEFAULT '',
    generation      integer NOT NULL DEFAULT 0 CHECK (generation >= 0),
    source          text NOT NULL DEFAULT '',
    status          text NOT NULL CHECK (status IN ('filling', 'serving', 'retired')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    served_until    timestamptz
);
CREATE UNIQUE INDEX embedding_spaces_one_serving ON embedding_spaces (status) WHERE status = 'serving';
CREATE UNIQUE INDEX embedding_spaces_one_filling ON embedding_spaces (status) WHERE status = 'filling';

-- `texts` names the set of texts; `vectors` are float32, little-endian, row after row.
CREATE TABLE reference_vectors (
    space   text NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    texts   text NOT NULL,
    vectors bytea NOT NULL,
    device  text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space, texts)
);

-- `vectors` is the summary of what the partition's vectors are like after the run
-- (quality.vector_summary.VectorSummary), for the next run to compare with.
CREATE TABLE last_runs (
    space      text NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    market     text NOT NULL,
    doc_type   text NOT NULL,
    stock_code text NOT NULL,
    run_id     text NOT NULL,
    ended_at   timestamptz NOT NULL DEFAULT now(),
    chunks     integer NOT NULL,
    tokens     bigint NOT NULL,
    seconds    double precision NOT NULL,
    vectors    jsonb,
    PRIMARY KEY (space, market, doc_type, stock_code)
);
"""

# A partition's counts are the sums over its rows. Each statement that changes them adds a row, so that no writer waits
# for another one; a run makes one row of many (storage/partition_counts.py). `digest` changes when a text does and not
# with the order of the chunks: it is the sum of a number for each text.
COUNTS = """
CREATE TABLE chunk_counts (
    market     text COLLATE "C" NOT NULL,
    doc_type   text COLLATE "C" NOT NULL,
    stock_code text COLLATE "C" NOT NULL,
    chunks     bigint NOT NULL,
    digest     numeric NOT NULL
);
CREATE INDEX chunk_counts_partition ON chunk_counts (market, doc_type, stock_code);

-- Of the vectors in a space's table, those of chunks that are pending again included.
CREATE TABLE vector_counts (
    space            text COLLATE "C" NOT NULL,
    market           text COLLATE "C" NOT NULL,
    doc_type         text COLLATE "C" NOT NULL,
    stock_code       text COLLATE "C" NOT NULL,
    vectors          bigint NOT NULL,
    tokens           bigint NOT NULL,
    tokens_lost      bigint NOT NULL,
    truncated_chunks bigint NOT NULL
);
CREATE INDEX vector_counts_partition ON vector_counts (space, market, doc_type, stock_code);
"""

# The first eight bytes of the text's hash as a number.
_NUMBER = "('x' || encode(substr(content_hash, 1, 8), 'hex'))::bit(64)::bigint"


def counted_chunks(changed: str) -> str:
    """Make the statement that counts rows of document_chunks, given with +1 or -1 as `sign`."""
    return f"""
    INSERT INTO chunk_counts (market, doc_type, stock_code, chunks, digest)
    SELECT market, doc_type, stock_code, sum(sign), sum(sign * {_NUMBER}::numeric)
    FROM ({changed}) changed GROUP BY market, doc_type, stock_code
    HAVING sum(sign) <> 0 OR sum(sign * {_NUMBER}::numeric) <> 0;"""


def counted_vectors(changed: str) -> str:
    """Make the statement that counts rows of a table of vectors, given with +1 or -1 as `sign`."""
    return f"""
    INSERT INTO vector_counts (space, market, doc_type, stock_code, vectors, tokens, tokens_lost, truncated_chunks)
    SELECT substr(TG_TABLE_NAME, length('chunk_vectors_') + 1), market, doc_type, stock_code, sum(sign),
           sum(sign * token_count), sum(sign * (token_count - tokens_embedded)),
           coalesce(sum(sign) FILTER (WHERE token_count > tokens_embedded), 0)
    FROM ({changed}) changed GROUP BY market, doc_type, stock_code;"""


# Of a row of a table of vectors that has been updated.
_NEW_AND_OLD = """
SELECT NEW.market, NEW.doc_type, NEW.stock_code, NEW.token_count, NEW.tokens_embedded, 1 AS sign
UNION ALL SELECT OLD.market, OLD.doc_type, OLD.stock_code, OLD.token_count, OLD.tokens_embedded, -1"""

# One row for each live space and chunk without a current vector there. Triggers write the queue, whoever writes chunks.
# It has no foreign keys, because these would be checked for each row. A chunk that failed waits for its next attempt;
# 'infinity' means that it is quarantined until its text changes or somebody retries it.
QUEUE = f"""
CREATE TABLE pending_chunks (
    space           text COLLATE "C" NOT NULL,
    market          text COLLATE "C" NOT NULL,
    doc_type        text COLLATE "C" NOT NULL,
    stock_code      text COLLATE "C" NOT NULL,
    chunk_id        uuid NOT NULL,
    content_hash    bytea NOT NULL,
    pending_since   timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
    attempts        integer NOT NULL DEFAULT 0,
    error           text,
    message         text,
    run_id          text,
    failed_at       timestamptz,
    PRIMARY KEY (space, market, doc_type, stock_code, chunk_id)
);
-- Listing what failed costs what failed.
CREATE INDEX pending_chunks_failed ON pending_chunks (space, market, doc_type, stock_code) WHERE attempts > 0;

CREATE FUNCTION chunks_inserted() RETURNS trigger {FUNCTION} AS $$
BEGIN
    INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash)
    SELECT s.slug, n.market, n.doc_type, n.stock_code, n.id, n.content_hash
    FROM embedding_spaces s CROSS JOIN inserted n WHERE s.status IN ('filling', 'serving');
{counted_chunks("SELECT *, 1 AS sign FROM inserted")}
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_inserted AFTER INSERT ON document_chunks
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION chunks_inserted();

-- A chunk with a new text, partition or id is pending from now on, and its earlier failures count no more.
CREATE FUNCTION chunks_updated() RETURNS trigger {FUNCTION} AS $$
BEGIN
    -- Whoever puts a chunk into the queue under its former key at this moment is waited for.
    INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash)
    SELECT s.slug, o.market, o.doc_type, o.stock_code, o.id, o.content_hash
    FROM embedding_spaces s CROSS JOIN before o
    WHERE s.status IN ('filling', 'serving')
      AND NOT EXISTS (SELECT FROM after n
                      WHERE (n.id, n.market, n.doc_type, n.stock_code) = (o.id, o.market, o.doc_type, o.stock_code))
    ON CONFLICT DO NOTHING;
    DELETE FROM pending_chunks p USING embedding_spaces s, before o
    WHERE s.status IN ('filling', 'serving')
      AND (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
          = (s.slug, o.market, o.doc_type, o.stock_code, o.id)
      AND NOT EXISTS (SELECT FROM after n
                      WHERE (n.id, n.market, n.doc_type, n.stock_code) = (o.id, o.market, o.doc_type, o.stock_code));
    INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash)
    SELECT s.slug, n.market, n.doc_type, n.stock_code, n.id, n.content_hash
    FROM embedding_spaces s CROSS JOIN after n
    WHERE s.status IN ('filling', 'serving')
      AND NOT EXISTS (SELECT FROM before o
                      WHERE (o.id, o.content_hash, o.market, o.doc_type, o.stock_code)
                            = (n.id, n.content_hash, n.market, n.doc_type, n.stock_code))
    ON CONFLICT (space, market, doc_type, stock_code, chunk_id) DO UPDATE SET
        content_hash = excluded.content_hash, pending_since = now(), next_attempt_at = '-infinity', attempts = 0,
        error = NULL, message = NULL, run_id = NULL, failed_at = NULL;
{counted_chunks("SELECT *, 1 AS sign FROM after UNION ALL SELECT *, -1 FROM before")}
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_updated AFTER UPDATE ON document_chunks
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION chunks_updated();

CREATE FUNCTION chunks_deleted() RETURNS trigger {FUNCTION} AS $$
BEGIN
    DELETE FROM pending_chunks p USING embedding_spaces s, deleted o
    WHERE (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
          = (s.slug, o.market, o.doc_type, o.stock_code, o.id);
{counted_chunks("SELECT *, -1 AS sign FROM deleted")}
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_deleted AFTER DELETE ON document_chunks
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION chunks_deleted();

CREATE FUNCTION chunks_truncated() RETURNS trigger {FUNCTION} AS $$
BEGIN
    DELETE FROM pending_chunks;
    DELETE FROM chunk_counts;
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_truncated AFTER TRUNCATE ON document_chunks
    FOR EACH STATEMENT EXECUTE FUNCTION chunks_truncated();

-- The triggers of each table of vectors. A vector that goes away, not together with its chunk, makes its chunk pending.
CREATE FUNCTION chunk_vectors_inserted() RETURNS trigger {FUNCTION} AS $$
BEGIN
{counted_vectors("SELECT *, 1 AS sign FROM inserted")}
    RETURN NULL;
END $$;
CREATE FUNCTION chunk_vectors_updated() RETURNS trigger {FUNCTION} AS $$
BEGIN
{counted_vectors(_NEW_AND_OLD)}
    RETURN NULL;
END $$;
CREATE FUNCTION chunk_vectors_deleted() RETURNS trigger {FUNCTION} AS $$
BEGIN
    INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash)
    SELECT s.slug, c.market, c.doc_type, c.stock_code, c.id, c.content_hash
    FROM embedding_spaces s CROSS JOIN deleted v JOIN document_chunks c ON c.id = v.chunk_id
    WHERE s.status IN ('filling', 'serving') AND 'chunk_vectors_' || s.slug = TG_TABLE_NAME
    ON CONFLICT DO NOTHING;
{counted_vectors("SELECT *, -1 AS sign FROM deleted")}
    RETURN NULL;
END $$;
CREATE FUNCTION chunk_vectors_truncated() RETURNS trigger {FUNCTION} AS $$
BEGIN
    INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash)
    SELECT s.slug, c.market, c.doc_type, c.stock_code, c.id, c.content_hash
    FROM embedding_spaces s CROSS JOIN document_chunks c
    WHERE s.status IN ('filling', 'serving') AND 'chunk_vectors_' || s.slug = TG_TABLE_NAME
    ON CONFLICT DO NOTHING;
    DELETE FROM vector_counts WHERE 'chunk_vectors_' || space = TG_TABLE_NAME;
    RETURN NULL;
END $$;
"""

STATEMENTS = (SPACES, COUNTS, QUEUE)

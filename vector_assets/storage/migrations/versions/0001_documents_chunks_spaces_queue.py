"""Documents, chunks, embedding spaces, the queue of chunks that have no current vector, and counts per partition.

The tables of vectors are made per embedding space, when a space is registered (storage/spaces.py).
"""

from alembic import op

from vector_assets.storage.migrations.triggers import FUNCTION, ONLY_OUR_NAMES, TRIGGERS

revision = "0001"
down_revision = None

# The same form as domain.PartitionKey, so that other programs cannot write keys that Dagster cannot select. The columns
# are compared byte by byte, which is faster than by the rules of a language.
PARTITION_COLUMNS = r"""
    market     text COLLATE "C" NOT NULL CHECK (market ~ '^[a-z0-9_-]{1,64}$'),
    doc_type   text COLLATE "C" NOT NULL CHECK (doc_type ~ '^[A-Za-z0-9_-]{1,64}$'),
    stock_code text COLLATE "C" NOT NULL CHECK (stock_code ~ '^[A-Za-z0-9._-]{1,64}$'
                                    AND stock_code !~ '[.]{3}' AND stock_code NOT IN ('.', '..'))
"""

# UUIDs of version 7 (RFC 9562) begin with the time, so that new rows come last in an index. PostgreSQL 18 makes them
# itself. Before it, the first 48 bits are milliseconds, four bits the version, and twelve the fraction of a
# millisecond; two bits of variant and 62 random bits follow, as gen_random_uuid() has them.
IDS = """
DO $do$
BEGIN
    IF current_setting('server_version_num')::integer >= 180000 THEN
        CREATE FUNCTION new_uuid() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
            AS 'SELECT pg_catalog.uuidv7()';
    ELSE
        CREATE FUNCTION new_uuid() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
            SET search_path FROM CURRENT AS $$
            SELECT (lpad(to_hex(milliseconds::bigint), 12, '0')
                    || '7' || lpad(to_hex(((moment - milliseconds) * 4096)::integer & 4095), 3, '0')
                    || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid
            FROM (SELECT moment, floor(moment) AS milliseconds
                  FROM (SELECT extract(epoch FROM clock_timestamp()) * 1000 AS moment) clock) split
        $$;
    END IF;
END $do$;
"""

DOCUMENTS = f"""
CREATE TABLE documents (
    id           uuid PRIMARY KEY DEFAULT new_uuid(),
    {PARTITION_COLUMNS},
    company_name text NOT NULL DEFAULT '',
    title        text NOT NULL DEFAULT '',
    period       text NOT NULL DEFAULT '',
    language     text NOT NULL DEFAULT '',
    source_uri   text NOT NULL UNIQUE,
    fingerprint  text NOT NULL DEFAULT '',
    warning      text NOT NULL DEFAULT '',
    landing_root text NOT NULL DEFAULT '',
    text         text NOT NULL,
    content_hash bytea NOT NULL,
    chunked_by       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX documents_partition ON documents (market, doc_type, stock_code);

-- chunked_by names how the document was chunked as it is now: chunks are made of its text, and of what they say of it.
CREATE FUNCTION documents_fill() RETURNS trigger {FUNCTION} AS $$
BEGIN
    NEW.content_hash := sha256(convert_to(NEW.text, 'UTF8'));
    IF TG_OP = 'UPDATE' AND (NEW.content_hash, NEW.stock_code, NEW.company_name, NEW.title, NEW.period) IS DISTINCT FROM
                            (OLD.content_hash, OLD.stock_code, OLD.company_name, OLD.title, OLD.period) THEN
        NEW.chunked_by := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER documents_fill
    BEFORE INSERT OR UPDATE OF text, content_hash, stock_code, company_name, title, period ON documents
    FOR EACH ROW EXECUTE FUNCTION documents_fill();
"""

# The oldest revision whose programs can use the tables as they are. A later revision that they cannot use raises it.
COMPATIBILITY = """
CREATE TABLE compatibility (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    oldest_revision text NOT NULL
);
INSERT INTO compatibility (oldest_revision) VALUES ('0001');
"""

# How the documents are chunked, at most one row. The tokenizer is its JSON file.
CHUNKING = """
CREATE TABLE chunking (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    identity   text NOT NULL,
    tokenizer  text NOT NULL,
    max_tokens integer NOT NULL CHECK (max_tokens > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
"""

REJECTIONS = """
CREATE TABLE document_rejections (
    source_uri  text PRIMARY KEY,
    partition   text NOT NULL DEFAULT '',
    error       text NOT NULL,
    message     text NOT NULL,
    fingerprint text NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now()
);
"""

# Nothing in a chunk's row depends on an embedding space: storing a vector never rewrites the chunk. Offsets count
# characters of the document's text from 0, pages from 1. Other programs may leave them out, and so does a document that
# has no pages.
CHUNKS = f"""
CREATE TABLE document_chunks (
    id            uuid PRIMARY KEY DEFAULT new_uuid(),
    document_id   uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    {PARTITION_COLUMNS},
    chunk_index   integer NOT NULL CHECK (chunk_index >= 0),
    text          text NOT NULL,
    content_hash  bytea NOT NULL,
    char_from     integer CHECK (char_from >= 0),
    char_to       integer CHECK (char_to >= char_from),
    page_from     integer CHECK (page_from >= 1),
    page_to       integer CHECK (page_to >= page_from),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (document_id, chunk_index)
);
-- The chunks of a partition in a random order: any piece of it is a random sample.
CREATE INDEX document_chunks_partition ON document_chunks (market, doc_type, stock_code, uuid_hash_extended(id, 0));

-- Whoever writes a chunk, its partition is its document's, and its hash is its text's. A document that another
-- transaction is moving is waited for: it takes along the chunks that are there, and would leave a new one behind.
CREATE FUNCTION document_chunks_fill() RETURNS trigger {FUNCTION} AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.document_id = OLD.document_id THEN
        SELECT market, doc_type, stock_code INTO NEW.market, NEW.doc_type, NEW.stock_code
        FROM documents WHERE id = NEW.document_id;
    ELSE
        SELECT market, doc_type, stock_code INTO NEW.market, NEW.doc_type, NEW.stock_code
        FROM documents WHERE id = NEW.document_id FOR SHARE;
    END IF;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = format('document %s does not exist', NEW.document_id);
    END IF;
    NEW.content_hash := sha256(convert_to(NEW.text, 'UTF8'));
    IF TG_OP = 'UPDATE' AND (NEW.content_hash, NEW.market, NEW.doc_type, NEW.stock_code)
                            IS DISTINCT FROM (OLD.content_hash, OLD.market, OLD.doc_type, OLD.stock_code) THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER document_chunks_fill
    BEFORE INSERT OR UPDATE OF document_id, market, doc_type, stock_code, text, content_hash ON document_chunks
    FOR EACH ROW EXECUTE FUNCTION document_chunks_fill();

CREATE FUNCTION documents_moved() RETURNS trigger {FUNCTION} AS $$
BEGIN
    UPDATE document_chunks SET market = NEW.market WHERE document_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER documents_moved AFTER UPDATE OF market, doc_type, stock_code ON documents
    FOR EACH ROW
    WHEN ((OLD.market, OLD.doc_type, OLD.stock_code) IS DISTINCT FROM (NEW.market, NEW.doc_type, NEW.stock_code))
    EXECUTE FUNCTION documents_moved();
"""

# A filling space is kept up to date and not searched, the serving one is searched too, a retired one is only kept.
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


def upgrade() -> None:
    tables = (COMPATIBILITY, DOCUMENTS, CHUNKING, REJECTIONS, CHUNKS, SPACES, COUNTS, QUEUE)
    for statements in (ONLY_OUR_NAMES, IDS, *tables, TRIGGERS):
        op.execute(statements)


def downgrade() -> None:
    raise NotImplementedError("the first revision has nothing below it: drop the database instead")

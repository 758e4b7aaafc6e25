"""Documents and their chunks, how they are chunked, and the files that were rejected."""

from ..triggers import FUNCTION

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

STATEMENTS = (IDS, COMPATIBILITY, DOCUMENTS, CHUNKING, REJECTIONS, CHUNKS)

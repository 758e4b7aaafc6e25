"""The terms of chunks, their queue, and the statistics that rank by them.

Terms are made in Python (domain/terms.py), so that a trigger can only queue a chunk. The terms of a chunk are arrays of
numbers, not a tsvector: see docs/decisions/0018-hybrid-search.md.
"""

from ..triggers import FUNCTION

TERMS = """
CREATE TABLE chunk_terms (
    chunk_id     uuid PRIMARY KEY REFERENCES document_chunks ON DELETE CASCADE,
    market       text COLLATE "C" NOT NULL,
    doc_type     text COLLATE "C" NOT NULL,
    stock_code   text COLLATE "C" NOT NULL,
    content_hash bytea NOT NULL,
    length       integer NOT NULL,
    term_ids     integer[] NOT NULL,
    frequencies  smallint[] NOT NULL
);
CREATE INDEX chunk_terms_ids ON chunk_terms USING gin (term_ids);
CREATE INDEX chunk_terms_partition ON chunk_terms (market, doc_type, stock_code);

-- In how many chunks a term occurs, and how many chunks of which average length there were when that was counted.
CREATE TABLE term_statistics (
    term_id integer PRIMARY KEY,
    chunks  integer NOT NULL
);
CREATE TABLE term_totals (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    chunks         bigint NOT NULL,
    average_length double precision NOT NULL
);
"""

# A chunk is in the queue until its terms are those of its present text.
QUEUE = f"""
CREATE TABLE pending_terms (
    market       text COLLATE "C" NOT NULL,
    doc_type     text COLLATE "C" NOT NULL,
    stock_code   text COLLATE "C" NOT NULL,
    chunk_id     uuid NOT NULL,
    content_hash bytea NOT NULL,
    PRIMARY KEY (market, doc_type, stock_code, chunk_id)
);

CREATE FUNCTION chunks_inserted_queue_terms() RETURNS trigger {FUNCTION} AS $$
BEGIN
    INSERT INTO pending_terms (market, doc_type, stock_code, chunk_id, content_hash)
    SELECT market, doc_type, stock_code, id, content_hash FROM inserted;
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_inserted_queue_terms AFTER INSERT ON document_chunks
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION chunks_inserted_queue_terms();

CREATE FUNCTION chunks_updated_queue_terms() RETURNS trigger {FUNCTION} AS $$
BEGIN
    DELETE FROM pending_terms p USING before o
    WHERE (p.market, p.doc_type, p.stock_code, p.chunk_id) = (o.market, o.doc_type, o.stock_code, o.id)
      AND NOT EXISTS (SELECT FROM after n
                      WHERE (n.id, n.market, n.doc_type, n.stock_code) = (o.id, o.market, o.doc_type, o.stock_code));
    INSERT INTO pending_terms (market, doc_type, stock_code, chunk_id, content_hash)
    SELECT n.market, n.doc_type, n.stock_code, n.id, n.content_hash FROM after n
    WHERE NOT EXISTS (SELECT FROM before o
                      WHERE (o.id, o.content_hash, o.market, o.doc_type, o.stock_code)
                            = (n.id, n.content_hash, n.market, n.doc_type, n.stock_code))
    ON CONFLICT (market, doc_type, stock_code, chunk_id) DO UPDATE SET content_hash = excluded.content_hash;
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_updated_queue_terms AFTER UPDATE ON document_chunks
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION chunks_updated_queue_terms();

CREATE FUNCTION chunks_deleted_unqueue_terms() RETURNS trigger {FUNCTION} AS $$
BEGIN
    DELETE FROM pending_terms p USING deleted o
    WHERE (p.market, p.doc_type, p.stock_code, p.chunk_id) = (o.market, o.doc_type, o.stock_code, o.id);
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_deleted_unqueue_terms AFTER DELETE ON document_chunks
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION chunks_deleted_unqueue_terms();

CREATE FUNCTION chunks_truncated_unqueue_terms() RETURNS trigger {FUNCTION} AS $$
BEGIN
    DELETE FROM pending_terms;
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_truncated_unqueue_terms AFTER TRUNCATE ON document_chunks
    FOR EACH STATEMENT EXECUTE FUNCTION chunks_truncated_unqueue_terms();

INSERT INTO pending_terms (market, doc_type, stock_code, chunk_id, content_hash)
SELECT market, doc_type, stock_code, id, content_hash FROM document_chunks;
"""

STATEMENTS = (TERMS, QUEUE)

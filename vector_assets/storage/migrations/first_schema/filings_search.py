"""The view of what is searched, which follows the space that serves, and a function that searches it.

They are for programs that know nothing but SQL: see docs/decisions/0022-ways-to-search.md.
"""

from ..triggers import FUNCTION

# A vector older than its chunk's text is left out. The type of the vectors is without their dimension, so that the view
# can be replaced by one of another space, with whatever depends on it and whoever may read it.
DEFINITION = """
CREATE OR REPLACE VIEW filings_search AS
SELECT c.id AS chunk_id, c.text, v.embedding::{halfvec} AS embedding,
       c.market || '/' || c.doc_type || '/' || c.stock_code AS partition, c.market, c.doc_type, c.stock_code,
       d.company_name, d.title, d.period, d.language, d.source_uri AS document, c.chunk_index, c.page_from, c.page_to,
       jsonb_build_object(
           'partition', c.market || '/' || c.doc_type || '/' || c.stock_code, 'company_name', d.company_name,
           'title', d.title, 'period', d.period, 'language', d.language, 'document', d.source_uri,
           'chunk_index', c.chunk_index, 'page_from', c.page_from, 'page_to', c.page_to,
           'space', v.space, 'run_id', v.run_id) AS metadata
FROM document_chunks c
JOIN documents d ON d.id = c.document_id
JOIN ({vectors}) v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
"""
OF_A_SPACE = "SELECT chunk_id, content_hash, embedding, run_id, %L::text AS space FROM %I"
OF_NO_SPACE = (
    "SELECT NULL::uuid AS chunk_id, NULL::bytea AS content_hash, NULL::{halfvec} AS embedding, "
    "''::text AS run_id, ''::text AS space WHERE false"
)

# In the transaction that changes which space serves, whoever does that, and at its end, when the space has its table.
VIEW = """
CREATE FUNCTION define_filings_search() RETURNS void {plain} AS $$
DECLARE slug text;
BEGIN
    SELECT s.slug INTO slug FROM embedding_spaces s WHERE s.status = 'serving';
    IF FOUND THEN
        EXECUTE {of_a_space};
    ELSE
        EXECUTE {of_no_space};
    END IF;
END $$;
CREATE FUNCTION filings_search_follows() RETURNS trigger {function} AS $$
BEGIN
    PERFORM define_filings_search();
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER filings_search_follows AFTER INSERT OR UPDATE OF status ON embedding_spaces
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'serving')
    EXECUTE FUNCTION filings_search_follows();
SELECT define_filings_search();
"""

# Gives at least k of the nearest vectors, or as many as there are, in any order: from the index where the product's own
# searches read it, else by comparing each (storage/nearest_vectors.py). Settings are the transaction's, so that they
# are put back; where the server refuses one, each vector is compared.
NEAREST = """
CREATE FUNCTION nearest_filings(
    query {halfvec}, k integer, in_markets text[], in_doc_types text[], in_stock_codes text[], in_periods text[],
    in_languages text[]
) RETURNS TABLE (id uuid, cosine double precision) LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    used record;
    names text[] := ARRAY['enable_sort', 'jit', 'hnsw.iterative_scan', 'hnsw.max_scan_tuples',
                          'hnsw.scan_mem_multiplier', 'hnsw.ef_search'];
    former text[];
    remaining double precision;
    total double precision;
    share double precision;
    ef integer;
    ids uuid[];
    cosines double precision[];
BEGIN
    SELECT x.space, x.generation, x.ef_search, x.from_vectors INTO used
    FROM vector_indexes x JOIN embedding_spaces s ON s.slug = x.space
    WHERE s.status = 'serving' AND x.ef_search IS NOT NULL;
    IF FOUND THEN
        SELECT coalesce(sum(n.vectors) FILTER (
                   WHERE (in_markets IS NULL OR n.market = ANY (in_markets))
                     AND (in_doc_types IS NULL OR n.doc_type = ANY (in_doc_types))
                     AND (in_stock_codes IS NULL OR n.stock_code = ANY (in_stock_codes))), 0),
               greatest(sum(n.vectors), 1)
        INTO remaining, total FROM vector_counts n WHERE n.space = used.space;
        IF coalesce(in_periods, in_languages) IS NOT NULL THEN
            SELECT remaining * coalesce(avg(((in_periods IS NULL OR d.period = ANY (in_periods))
                       AND (in_languages IS NULL OR d.language = ANY (in_languages)))::integer), 0)
            INTO remaining FROM documents d
            WHERE (in_markets IS NULL OR d.market = ANY (in_markets))
              AND (in_doc_types IS NULL OR d.doc_type = ANY (in_doc_types))
              AND (in_stock_codes IS NULL OR d.stock_code = ANY (in_stock_codes));
        END IF;
        share := least(greatest(remaining, 1) / total, 1);
        ef := least(greatest(used.ef_search, k, ceil(2 * k / share)), 1000);
    END IF;
    IF remaining >= used.from_vectors THEN
        PERFORM query OPERATOR({vector}.<=>) query;  -- so that pgvector's settings are known
        SELECT array_agg(current_setting(name, true) ORDER BY at) INTO former
        FROM unnest(names) WITH ORDINALITY n (name, at);
        FOR scan IN 1 .. CASE WHEN share < 1 THEN 2 ELSE 1 END LOOP
            BEGIN
                PERFORM set_config(name, value, true) FROM unnest(names, ARRAY[
                    'off', 'off', CASE WHEN share < 1 AND scan = 1 THEN 'off' ELSE 'relaxed_order' END, '20000', '4',
                    ef::text]) s (name, value);
                EXECUTE format({by_index}, 'chunk_vectors_' || used.space, -used.generation)
                INTO ids, cosines
                USING query, k + 16, in_markets, in_doc_types, in_stock_codes, in_periods, in_languages;
                PERFORM set_config(name, value, true) FROM unnest(names, former) s (name, value);
            EXCEPTION WHEN invalid_name OR invalid_parameter_value OR undefined_object OR insufficient_privilege
                OR cant_change_runtime_param THEN ids := NULL;
            END;
            IF cardinality(ids) >= k THEN
                RETURN QUERY SELECT * FROM unnest(ids, cosines);
                RETURN;
            END IF;
            EXIT WHEN coalesce(cardinality(ids), 0) < ef * share / 2;
        END LOOP;
    END IF;
    RETURN QUERY
    SELECT f.chunk_id, 1 - (f.embedding OPERATOR({vector}.<=>) query) FROM filings_search f
    WHERE (in_markets IS NULL OR f.market = ANY (in_markets))
      AND (in_doc_types IS NULL OR f.doc_type = ANY (in_doc_types))
      AND (in_stock_codes IS NULL OR f.stock_code = ANY (in_stock_codes))
      AND (in_periods IS NULL OR f.period = ANY (in_periods))
      AND (in_languages IS NULL OR f.language = ANY (in_languages))
    ORDER BY f.embedding OPERATOR({vector}.<=>) query, f.chunk_id LIMIT k;
END $$;
REVOKE EXECUTE ON FUNCTION nearest_filings FROM PUBLIC;
"""
BY_INDEX = """$index$
SELECT array_agg(c.id), array_agg(1 - r.distance)
FROM (SELECT v.chunk_id, v.content_hash, v.embedding OPERATOR({vector}.<=>) $1 AS distance FROM %I v
      WHERE v.token_count <> %s AND ($3 IS NULL OR v.market = ANY ($3)) AND ($4 IS NULL OR v.doc_type = ANY ($4))
        AND ($5 IS NULL OR v.stock_code = ANY ($5))
        AND (coalesce($6, $7) IS NULL OR EXISTS (
             SELECT FROM document_chunks n JOIN documents d ON d.id = n.document_id
             WHERE n.id = v.chunk_id AND n.content_hash = v.content_hash
               AND ($6 IS NULL OR d.period = ANY ($6)) AND ($7 IS NULL OR d.language = ANY ($7)) OFFSET 0))
      ORDER BY v.embedding OPERATOR({vector}.<=>) $1 LIMIT $2) r
JOIN document_chunks c ON c.id = r.chunk_id AND c.content_hash = r.content_hash
$index$"""

# Ranks as `vector_assets.search` does, whose tests compare the two: the hundred nearest vectors and the hundred best by
# BM25, their standard scores, vectors weighed with 0.7. `score` is the cosine.
SEARCH = """
CREATE FUNCTION search_filings(
    query {halfvec}, terms integer[] DEFAULT '{{}}', k integer DEFAULT 10, in_markets text[] DEFAULT NULL,
    in_doc_types text[] DEFAULT NULL, in_stock_codes text[] DEFAULT NULL, in_periods text[] DEFAULT NULL,
    in_languages text[] DEFAULT NULL
) RETURNS TABLE (
    score double precision, dense_rank bigint, lexical_rank bigint, chunk_id uuid, text text, partition text,
    company_name text, title text, period text, language text, document text, chunk_index integer, page_from integer,
    page_to integer, metadata jsonb
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH passing AS NOT MATERIALIZED (
        SELECT f.chunk_id AS id FROM filings_search f
        WHERE (in_markets IS NULL OR f.market = ANY (in_markets))
          AND (in_doc_types IS NULL OR f.doc_type = ANY (in_doc_types))
          AND (in_stock_codes IS NULL OR f.stock_code = ANY (in_stock_codes))
          AND (in_periods IS NULL OR f.period = ANY (in_periods))
          AND (in_languages IS NULL OR f.language = ANY (in_languages))
    ), dense AS MATERIALIZED (
        SELECT id, cosine, row_number() OVER (ORDER BY cosine DESC, id) AS rank
        FROM nearest_filings(query, greatest(k, 100), in_markets, in_doc_types, in_stock_codes, in_periods,
                             in_languages)
        ORDER BY cosine DESC, id LIMIT greatest(k, 100)
    ), asked AS (
        SELECT id, n, ln(1 + (greatest(t.chunks - n, 0) + 0.5) / (n + 0.5::double precision)) AS rarity,
               greatest(t.average_length, 1) AS average
        FROM (SELECT DISTINCT u.id, coalesce(s.chunks, 0) AS n FROM unnest(terms) u (id)
              LEFT JOIN term_statistics s ON s.term_id = u.id) counted
        CROSS JOIN term_totals t WHERE t.chunks > 0
        ORDER BY n, id LIMIT 64
    ), few AS (
        SELECT coalesce(in_markets, in_doc_types, in_stock_codes) IS NOT NULL AND sum(chunks) <= 2000 AS chunks
        FROM chunk_counts c
        WHERE (in_markets IS NULL OR c.market = ANY (in_markets))
          AND (in_doc_types IS NULL OR c.doc_type = ANY (in_doc_types))
          AND (in_stock_codes IS NULL OR c.stock_code = ANY (in_stock_codes))
    ), rarest AS (
        SELECT array_agg(id) AS ids
        FROM (SELECT id, sum(n) OVER (ORDER BY n, id) - n AS before FROM asked) summed CROSS JOIN few
        WHERE before < 1000 OR few.chunks
    ), lexical AS MATERIALIZED (
        SELECT id, bm25, row_number() OVER (ORDER BY bm25 DESC, id) AS rank
        FROM (SELECT c.chunk_id AS id, b.bm25 FROM chunk_terms c CROSS JOIN LATERAL ({bm25}) b
              WHERE c.term_ids && (SELECT ids FROM rarest) AND c.chunk_id IN (SELECT id FROM passing)) scored
        WHERE bm25 IS NOT NULL ORDER BY bm25 DESC, id LIMIT greatest(k, 100)
    ), candidates AS MATERIALIZED (
        SELECT id, 1 - (f.embedding OPERATOR({vector}.<=>) query) AS cosine, d.rank AS dense_rank,
               l.rank AS lexical_rank, coalesce(b.bm25, 0) AS bm25
        FROM (SELECT id FROM dense UNION SELECT id FROM lexical) either
        JOIN filings_search f ON f.chunk_id = id
        LEFT JOIN dense d USING (id) LEFT JOIN lexical l USING (id)
        LEFT JOIN chunk_terms c ON c.chunk_id = id LEFT JOIN LATERAL ({bm25}) b ON true
    ), fused AS (
        SELECT *, 0.7 * coalesce((cosine - avg(cosine) OVER ()) / nullif(stddev_pop(cosine) OVER (), 0), 0)
                  + 0.3 * coalesce((bm25 - avg(bm25) OVER ()) / nullif(stddev_pop(bm25) OVER (), 0), 0) AS fused
        FROM candidates
    )
    SELECT r.cosine, r.dense_rank, r.lexical_rank, f.chunk_id, f.text, f.partition, f.company_name, f.title, f.period,
           f.language, f.document, f.chunk_index, f.page_from, f.page_to, f.metadata
    FROM (SELECT * FROM fused ORDER BY fused DESC, cosine DESC, id LIMIT k) r
    JOIN filings_search f ON f.chunk_id = r.id
    ORDER BY r.fused DESC, r.cosine DESC, r.id;
END $$;
REVOKE EXECUTE ON FUNCTION search_filings FROM PUBLIC;
"""
BM25 = """
SELECT sum(q.rarity * t.frequency * 2.2 / (t.frequency + 1.2 * (0.25 + 0.75 * c.length / q.average))) AS bm25
FROM asked q CROSS JOIN LATERAL (
    SELECT c.frequencies[array_position(c.term_ids, q.id)]::double precision AS frequency) t
"""


def statements(vector: str) -> tuple[str, ...]:
    """The view and the function, for a database that has pgvector in the schema `vector` (quoted)."""
    halfvec = f"{vector}.halfvec"

    def defined_by(vectors: str) -> str:
        return f"$view${DEFINITION.format(halfvec=halfvec, vectors=vectors)}$view$"

    view = VIEW.format(
        plain=FUNCTION.replace("SECURITY DEFINER ", ""),
        function=FUNCTION,
        of_a_space=f"format({defined_by(OF_A_SPACE)}, slug, 'chunk_vectors_' || slug)",
        of_no_space=defined_by(OF_NO_SPACE.format(halfvec=halfvec)),
    )
    nearest = NEAREST.format(halfvec=halfvec, vector=vector, by_index=BY_INDEX.format(vector=vector))
    return view, nearest, SEARCH.format(halfvec=halfvec, vector=vector, bm25=BM25)

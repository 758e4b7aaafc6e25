"""The columns of the tables behind the assets, as their pages in Dagster list them."""

import dagster as dg

_PARTITION = [
    dg.TableColumn("market", "text", "The market: us, hk, cn."),
    dg.TableColumn("doc_type", "text", "The document type, e.g. annual_report."),
    dg.TableColumn("stock_code", "text", "The company's stock code."),
]
_HASH = dg.TableColumn("content_hash", "bytea", "sha256 of the text, kept by a trigger.")

DOCUMENT_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id", "uuid", "UUID of version 7."),
        *_PARTITION,
        dg.TableColumn("company_name", "text", "As the manifest has it."),
        dg.TableColumn("title", "text", "As the manifest has it."),
        dg.TableColumn("period", "text", "As the manifest has it, e.g. 2024-Q3."),
        dg.TableColumn("language", "text", "As the manifest has it, e.g. en or zh."),
        dg.TableColumn("source_uri", "text", "Where the document came from."),
        dg.TableColumn("warning", "text", "What of the file could not be read."),
        dg.TableColumn("text", "text", "The whole text."),
        _HASH,
    ]
)
CHUNK_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id", "uuid", "UUID of version 7; an unchanged chunk keeps it."),
        dg.TableColumn("document_id", "uuid", "The chunk's document."),
        *_PARTITION,
        dg.TableColumn("chunk_index", "integer", "The chunk's place in its document, from 0."),
        dg.TableColumn("text", "text", "The text that is embedded."),
        _HASH,
    ]
)
VECTOR_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("chunk_id", "uuid", "The chunk."),
        *_PARTITION,
        dg.TableColumn("content_hash", "bytea", "sha256 of the text that was embedded."),
        dg.TableColumn("embedding", "halfvec", "The vector, of length 1."),
        dg.TableColumn("token_count", "integer", "Tokens of the text."),
        dg.TableColumn("tokens_embedded", "integer", "Those of them within the model's limit."),
        dg.TableColumn("run_id", "text", "The run that stored it."),
    ]
)

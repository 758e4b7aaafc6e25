"""A Dagster instance, services with a quick embedder, and a landing directory with a few filings."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.defs.assets import document_chunks, documents, vectorized_chunks
from vector_assets.defs.partitions import register
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.retries import Retries

from ..fakes import FakeServices

US = PartitionKey("us", "annual_report", "XTEST")
CN = PartitionKey("cn", "announcement", "999001")

CHAIN = [documents, document_chunks, vectorized_chunks]
"""The assets from files to the vectors of the serving space."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Forgets everything at the end."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def retries() -> Retries:
    """As the product waits."""
    return Retries()


@pytest.fixture
def services(database_url: URL, tmp_path: Path, landing: Path, retries: Retries) -> Iterator[FakeServices]:
    """Over the test's own database and an empty landing directory."""
    with FakeServices(database_url, tmp_path / "home", landing, retries=retries) as services:
        yield services


def land(landing: Path, key: PartitionKey, name: str, text: str | bytes) -> None:
    """Put a file where its partition's documents lie."""
    folder = landing / str(key)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def sentences(count: int) -> str:
    """So many chunks: each line fills more than half of the room, so that no two share a chunk."""
    return "\n\n".join(" ".join(f"w{line}x{word}" for word in range(40)) + "." for line in range(count))


def figures(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, Any]:
    """Give the values of the entries, and those of the table of diagnostics."""
    values = {name: value.value for name, value in metadata.items()}
    table = values.pop("diagnostics", None)
    rows = {record.data["figure"]: record.data["value"] for record in table.records} if table else {}
    return rows | values


@pytest.fixture
def filings(landing: Path, instance: dg.DagsterInstance) -> Path:
    """Two partitions, registered: ten chunks in English, one in Chinese."""
    land(landing, US, "2024.txt", sentences(10))
    land(landing, CN, "2024-01.txt", "董事会审议通过了年度报告。")
    register(instance, [US, CN])
    return landing

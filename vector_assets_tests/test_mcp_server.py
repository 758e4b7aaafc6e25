"""What agents get from the MCP server, asked by the SDK's own client."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client, MCPError
from mcp.types import TextContent
from sqlalchemy import URL

from vector_assets.cli import main
from vector_assets.cli.ports import HOST
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import DatabaseFailed
from vector_assets.mcp_server import make_server

from .fakes import KEY, FakeServices, make_vectorizer, rows, store_chunks

HK = PartitionKey("hk", "announcement", "00700")


@pytest.fixture
def services(database_url: URL, tmp_path: Path, landing: Path) -> Iterator[FakeServices]:
    """Two partitions, one of which has vectors; the services may only read."""
    writing = FakeServices(database_url, tmp_path / "home", landing)
    store_chunks(writing.database, ["a", "b", "c"])
    store_chunks(writing.database, ["甲"], HK)
    make_vectorizer(writing.database, writing.embedder).vectorize_partition(KEY)
    writing.close()
    reading = FakeServices(database_url, tmp_path / "home", landing)
    reading.read_only = True
    yield reading
    reading.close()


def call(services: FakeServices, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """What one client gets for each call: the answer, or the line of a refusal."""

    async def asked() -> list[Any]:
        async with Client(make_server(services)) as client:
            return [await answered(client, *each) for each in calls]

    return asyncio.run(asked())


async def answered(client: Client, tool: str, arguments: dict[str, Any]) -> Any:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return str(error)
    if not result.is_error:
        return result.structured_content
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_an_agent_finds_reads_and_sees_what_there_is(services: FakeServices) -> None:
    """Each tool, with the names as an agent writes them."""
    found, listed = call(
        services,
        ("search_filings", {"question": "b", "partitions": ["US/"], "periods": ["2024"], "limit": 2}),
        ("list_partitions", {}),
    )

    assert len(found["hits"]) == 2
    assert found["hits"][0]["text"] == "b"
    assert found["hits"][0]["document"] == f"{KEY}/a.txt"
    assert found["coverage"] == {"chunks": 3, "current": 3, "note": ""}
    assert [(item["partition"], item["coverage"]) for item in listed["partitions"]] == [(str(HK), 0.0), (str(KEY), 1.0)]
    (passage,) = call(services, ("read_passage", {"chunk_id": found["hits"][0]["chunk_id"], "around": 1}))
    assert passage["text"] == "a\nb\nc"


def test_what_is_not_embedded_yet_is_said(services: FakeServices) -> None:
    """Instead of nothing."""
    (found,) = call(services, ("search_filings", {"question": "甲", "partitions": ["hk/"]}))

    assert found["hits"] == []
    assert found["coverage"]["note"].startswith("Not embedded yet: none of the 1 chunks")


NONSENSE: list[tuple[str, dict[str, Any], str]] = [
    ("search_filings", {}, "question"),
    ("search_filings", {"question": ["a", 1]}, "question"),
    ("search_filings", {"question": "?!"}, "no word"),
    ("search_filings", {"question": "net " * 25_600}, "102,400 characters"),
    ("search_filings", {"question": "a", "limit": 0}, "limit"),
    ("search_filings", {"question": "a", "limit": 10_000}, "limit"),
    ("search_filings", {"question": "a", "partitions": ["uss/"]}, "The nearest are us"),
    ("search_filings", {"question": "a", "partitions": ["'; DROP TABLE documents; --"]}, "invalid pattern"),
    ("search_filings", {"question": "a", "periods": ["2042"]}, "The nearest are 2024"),
    ("read_passage", {"chunk_id": "first"}, "invalid chunk id"),
    ("read_passage", {"chunk_id": "00000000-0000-0000-0000-000000000000"}, "there is no chunk"),
    ("drop_everything", {}, "drop_everything"),
]


def test_nonsense_is_answered_and_the_next_call_works(services: FakeServices) -> None:
    """With what is wrong, for the agent to correct."""
    calls = [(tool, arguments) for tool, arguments, _ in NONSENSE]

    *refused, found = call(services, *calls, ("search_filings", {"question": "b"}))

    for line, (tool, arguments, words) in zip(refused, NONSENSE, strict=True):
        assert words in line, (tool, arguments)
    assert found["hits"][0]["text"] == "b"


def test_programs_of_this_machine_ask_by_http(services: FakeServices) -> None:
    """Pages of a browser, which name another host, are refused."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    url = f"http://{HOST}:{port}/mcp"

    async def asked() -> tuple[Any, int]:
        server = asyncio.create_task(make_server(services).run_streamable_http_async(host=HOST, port=port))
        while not await listens(port):
            assert not server.done()
        async with Client(url) as client:
            found = await answered(client, "search_filings", {"question": "b", "limit": 1})
        async with httpx2.AsyncClient() as browser:
            refused = await browser.post(url, json={}, headers={"Host": "elsewhere.example"})
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        return found, refused.status_code

    found, refused = asyncio.run(asked())

    assert found["hits"][0]["text"] == "b"
    assert refused == 421


async def listens(port: int) -> bool:
    """Whether a connection is accepted."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def test_a_role_that_may_only_read_is_enough(services: FakeServices, database_url: URL) -> None:
    """With the rights that operations.md gives a reader."""
    page = (Path(__file__).parent.parent / "docs" / "operations.md").read_text("utf-8")
    grants = [line for line in page.splitlines() if line.startswith(("GRANT", "ALTER DEFAULT")) and "reader" in line]
    admin = FakeServices(database_url, services.settings.home, services.settings.landing_dir)
    rows(admin.database, "CREATE ROLE mcp_reader LOGIN")
    rows(admin.database, "CREATE ROLE filer")
    try:
        for grant in grants:
            rows(admin.database, grant.replace("FOR ROLE vector_assets ", "").replace("reader", "mcp_reader"))
        url = database_url.set(username="mcp_reader")
        reading = FakeServices(url, services.settings.home, services.settings.landing_dir)

        (found,) = call(reading, ("search_filings", {"question": "b", "partitions": ["us/"], "limit": 1}))

        assert found["hits"][0]["text"] == "b"
        with pytest.raises(DatabaseFailed, match="permission denied"):
            rows(reading.database, "DELETE FROM documents")
        reading.close()
    finally:
        rows(admin.database, "DROP OWNED BY mcp_reader, filer")
        rows(admin.database, "DROP ROLE mcp_reader, filer")
        admin.close()


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    monkeypatch.delitem(sys.modules, "vector_assets.mcp_server")

    result = CliRunner().invoke(main, ["mcp"])

    assert result.exit_code == 1
    assert "pip install 'vector_assets[mcp]'" in result.output


def test_nothing_can_be_written(services: FakeServices) -> None:
    """Whatever a tool might try, the server refuses it."""
    with pytest.raises(DatabaseFailed, match="read-only transaction"):
        rows(services.database, "DELETE FROM documents")

"""What the README says works: its commands, its Python, its settings."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vector_assets.settings import Settings
from vector_assets.storage.database import Database
from vector_assets.storage.embedded_server import leave_embedded_server

from .fakes import rows

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[str]:
    """The lines of shell blocks that call the program, without their comments."""
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(program)]


@pytest.fixture(scope="module")
def directory(converted_models: Path) -> Path:
    """A landing directory only, as a user has it who has just begun; the default model is converted already.

    Annual reports are left out, for the demo has embedded them already, with all other samples.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as path:
        for doc_type in ("announcement", "quarterly_report"):
            samples = ROOT / "vector_assets" / "samples" / "us" / doc_type
            shutil.copytree(samples, Path(path) / "landing" / "us" / doc_type)
        (Path(path) / ".vector_assets").mkdir()
        (Path(path) / ".vector_assets" / "models").symlink_to(converted_models)
        yield Path(path)
        leave_embedded_server(Path(path) / ".vector_assets")


def run(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    """In the directory."""
    environment = environment_of_user()
    return subprocess.run(["bash", "-c", command], cwd=directory, env=environment, capture_output=True, text=True)


def environment_of_user() -> dict[str, str]:
    """Nothing is set, and the installed commands are on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VECTOR_", "EMBEDDING_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment.pop("DAGSTER_HOME", None)
    environment["VECTOR_ASSETS_LANGUAGE"] = "en"
    return environment


def test_the_demo_does_the_whole_job_and_then_nothing(directory: Path) -> None:
    """What `make demo` runs, with the real model: every sample gets its vectors, both searches are answered."""
    assert "$(BIN)/vector-assets demo" in (ROOT / "Makefile").read_text()

    first = run(directory, "vector-assets demo")
    second = run(directory, "vector-assets demo")

    assert first.returncode == 0, first.stderr
    assert "17 partitions" in first.stdout
    assert "warning" not in first.stderr
    best = re.findall(r"^\? .*\n\S+  (\S+)", first.stdout, re.MULTILINE)
    assert best == [
        "us/quarterly_report/XHMR/2025-q2-report.html",
        "cn/announcement/999002/2025-06-share-buyback.txt",
        "hk/annual_report/99902/2024-annual-report.md",
    ]
    assert second.returncode == 0, second.stderr
    assert "Nothing to do" in second.stdout


@pytest.fixture(scope="module")
def results(directory: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """What each command did, in the order given."""
    return {command: run(directory, command) for command in commands("vector-assets")}


def test_the_commands_work_in_the_order_given(results: dict[str, subprocess.CompletedProcess[str]]) -> None:
    """Each ends well and says something."""
    assert len(results) >= 7
    for command, result in results.items():
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        assert result.stdout, command


@pytest.mark.usefixtures("results")
def test_the_python_works(directory: Path) -> None:
    """In one program, after the commands: the hits, and then the same two of each way to search."""
    program = "\n".join(blocks("python"))

    result = run(directory, f"python - <<'PROGRAM'\n{program}\nPROGRAM")

    assert result.returncode == 0, result.stderr
    counts, *hits = result.stdout.splitlines()
    assert re.fullmatch(r"\d+ 0", counts)
    assert all(re.match(r"0\.\d{3} us/\S+ us/\S+ '", hit) for hit in hits[:3])
    assert re.match(r"100% us/\S+ \['", hits[3])
    by_langchain, by_llama_index, by_sql = hits[4:6], hits[6:8], hits[8:]
    assert by_langchain == by_llama_index == by_sql
    assert len({hit.split()[0] for hit in hits[4:6]} & {hit.split()[2] for hit in hits[:3]}) > 0


@pytest.mark.usefixtures("results")
def test_an_agent_starts_the_server_and_searches(directory: Path) -> None:
    """As its configuration says, over stdin and stdout, but for where the home is."""
    from mcp import Client, StdioServerParameters

    (block,) = blocks("json")
    given = json.loads(block)["mcpServers"]["filings"]
    assert given["env"].keys() == {"VECTOR_ASSETS_HOME"}
    environment = {**environment_of_user(), "VECTOR_ASSETS_HOME": str(directory / ".vector_assets")}
    command = shutil.which(given["command"], path=environment["PATH"])
    assert command is not None

    async def search() -> dict[str, Any]:
        server = StdioServerParameters(command=command, args=given["args"], env=environment, cwd=directory)
        async with Client(server) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert tools == {"search_filings", "read_passage", "list_partitions"}
            asked = {"question": "How did net sales change?", "partitions": ["US/"], "limit": 1}
            return (await client.call_tool("search_filings", asked)).structured_content or {}

    (hit,) = asyncio.run(search())["hits"]

    assert hit["document"].startswith("us/")


def test_the_sql_works(database: Database) -> None:
    """What another program writes is a document of a partition, with a chunk that is pending."""
    inserts, selects = blocks("sql")

    with database.transaction() as connection:
        connection.execute("SET LOCAL search_path = pg_catalog")
        connection.execute(inserts)
        assert [column.name for column in connection.execute(selects).description or ()] == [
            "company_name", "document", "page_from", "text",
        ]  # fmt: skip

    stored = rows(database, "SELECT market, doc_type, stock_code, length(content_hash) FROM document_chunks")
    assert stored == [("us", "announcement", "XNEW", 32)]


def test_every_make_target_is_there() -> None:
    """Those in blocks and those in the text."""
    targets = set(re.findall(r"make (\w+)", README))
    assert {"demo", "test", "check", "bench"} <= targets
    makefile = (ROOT / "Makefile").read_text()

    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def settings_table() -> dict[str, str]:
    """Variable -> default, as the README's table has them."""
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| ([^|]+) \|", README, re.MULTILINE)
    return {name: default for names, default in rows for name in re.findall("[A-Z_]+", names)}


def test_the_table_has_the_settings_of_the_code_and_no_others() -> None:
    """With the defaults of the code, where a default is a value and no description."""
    table = settings_table()
    defaults = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}

    assert set(table) == set(defaults)
    for name, default in table.items():
        if default.startswith("`"):
            value = defaults[name]
            assert default == (f"`{value:g}`" if isinstance(value, float) else f"`{value}`"), name


def test_every_file_it_points_to_is_there() -> None:
    """Pictures and pages."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def structure(text: str) -> list[str]:
    """What two languages of one page share: headings by level, list items, tables by row, links, names in backticks."""
    marks = []
    for line in re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).splitlines():
        if found := re.match(r"#+ |- |\|", line):
            marks.append(found[0])
            if found[0] == "|":
                marks += re.findall(r"`[^`]+`", line.split("|")[1])
    return marks


def test_the_chinese_readme_says_the_same() -> None:
    """The same headings, lists, tables, settings, links, pictures and blocks to copy, with translated comments."""
    chinese = (ROOT / "README.zh-CN.md").read_text("utf-8")

    assert structure(chinese) == structure(README)
    blocks = [re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL) for text in (chinese, README)]
    assert [re.sub(r" *#.*", "", block) for block in blocks[0]] == [re.sub(r" *#.*", "", block) for block in blocks[1]]
    english_links, chinese_links = ({*re.findall(r"\]\(([^)]+)\)", text)} for text in (README, chinese))
    assert chinese_links - {"README.md"} == english_links - {"README.zh-CN.md"}
    figures = [sorted(re.findall(r"\d[\d.,]*\d|\d", text)) for text in (chinese, README)]
    assert figures[0] == figures[1]


def test_every_file_of_the_architecture_is_there() -> None:
    """And the way of a chunk is no longer than fifteen files, that of an event no longer than five."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    _, chunk, event = re.split(r"^## From .*$", page, flags=re.MULTILINE)
    named = [re.findall(r"`([\w/]+\.py)`", section) for section in (page, chunk, event)]

    assert [name for name in named[0] if not (ROOT / "vector_assets" / name).exists()] == []
    assert 5 < len(named[1]) <= 16  # a PDF passes one of the two readers
    assert 3 < len(named[2]) <= 5

"""What the commands do, print and answer with."""

import json
import shlex
import threading
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import click
import dagster as dg
import pytest

from vector_assets.cli import main
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.quality.drift import REFERENCE_TEXTS

from ..defs.conftest import CN, US, land
from ..fakes import HashEmbedder
from .conftest import OTHER, SERVING, Command, counts, statuses

# The only chunk of the Chinese filing: the context line, and the text.
CHINESE_CHUNK = "999001 2024-01\n董事会审议通过了年度报告。"


def test_from_files_to_answers(command: Command, filings: Path, embedder: HashEmbedder) -> None:
    """ingest, backfill, status and search, each doing its part; a second time nothing is left."""
    ingested = command("ingest", str(filings))
    assert ingested.exit_code == 0, ingested.output
    assert counts(command, "pending") == {str(CN): 1, str(US): 3}

    filled = command("backfill")
    assert filled.exit_code == 0, filled.output
    assert len(embedder.embedded) == 4

    status = json.loads(command("status", "--json").stdout)
    assert [(item["partition"], item["chunks"], item["current"]) for item in status["partitions"]] == [
        (str(CN), 1, 1),
        (str(US), 3, 3),
    ]
    assert set(status["partitions"][0]) == {
        "partition", "company_name", "chunks", "current", "pending", "quarantined", "coverage", "pending_since",
        "last_run", "tokens", "tokens_lost", "truncated_chunks",
    }  # fmt: skip
    assert status["partitions"][0]["last_run"]["run_id"]
    assert status["space"]["slug"] == embedder.space.slug

    answer = json.loads(command("search", CHINESE_CHUNK, "--limit", "1", "--around", "1", "--json").stdout)
    hits = answer["hits"]
    assert answer["coverage"] == {"chunks": 4, "current": 4, "note": ""}
    assert answer["passages"][0]["text"] == CHINESE_CHUNK.partition("\n")[2]
    assert UUID(hits[0].pop("chunk_id"))
    assert hits == [
        {
            "score": pytest.approx(1, abs=1e-3),
            "partition": str(CN),
            "document": f"{CN}/2024-01.txt",
            "company_name": "",
            "title": "2024-01",
            "period": "",
            "language": "zh",
            "chunk_index": 0,
            "page_from": None,
            "page_to": None,
            "dense_rank": 1,
            "lexical_rank": 1,
            "text": CHINESE_CHUNK,
        }
    ]

    in_english = command("search", CHINESE_CHUNK, "--language", "EN").output
    assert "99900" not in in_english
    assert f"{US}/2024.txt  chunk" in in_english
    assert "(vectors 1" in in_english
    answers = command("search", "--interactive", "US/", "--limit", "1", "--around", "2", stdin="net sales\n?\nnet\n")
    assert answers.stdout.count(f"{US}/2024.txt  chunk") == 2
    assert "no word" in answers.stderr
    assert "The nearest are us" in command("search", "x", "uss/").output
    assert "The nearest are en" in command("search", "x", "--language", "e").output

    runs = dg.DagsterInstance.get().get_runs_count()
    assert command("ingest", str(filings)).exit_code == 0
    assert command("backfill").exit_code == 0
    assert dg.DagsterInstance.get().get_runs_count() == runs
    assert len(embedder.embedded) == 4


def test_a_model_that_hangs_ends_a_backfill(
    command: Command, filings: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next partition would wait as long, and fail as well."""
    command("ingest", str(filings))
    answer = threading.Event()
    embedder.before = lambda _: answer.wait() and None
    monkeypatch.setenv("VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS", "1")

    runs = dg.DagsterInstance.get().get_runs_count()

    hung = command("backfill")

    answer.set()
    assert hung.exit_code == 1
    assert hung.output.count("did not answer") == 1
    assert dg.DagsterInstance.get().get_runs_count() == runs + 1
    monkeypatch.setenv("VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS", "600")
    assert command("backfill").exit_code == 0
    assert counts(command, "pending") == {str(CN): 0, str(US): 0}


def test_a_pattern_backfills_a_market(command: Command, filings: Path) -> None:
    """The other market stays pending."""
    command("ingest", str(filings))

    command("backfill", "us/*/*")

    assert counts(command, "pending") == {str(CN): 1, str(US): 0}


def test_status_shows_what_a_pattern_means(command: Command, filings: Path) -> None:
    """As a table, with whole partition keys."""
    command("ingest", str(filings))

    shown = command("status", "*/*/XTEST")

    assert str(US) in shown.output
    assert str(CN) not in shown.output


def test_force_embeds_everything_again(command: Command, filings: Path, embedder: HashEmbedder) -> None:
    """And the batch size is the loop's."""
    command("ingest", str(filings))
    command("backfill")

    again = command("backfill", "us/*/*", "--force", "--batch-size", "2")

    assert again.exit_code == 0, again.output
    assert len(embedder.embedded) == 7


def test_a_bad_document_is_skipped_and_the_exit_code_says_so(command: Command, filings: Path) -> None:
    """Promise 11: also the second time, until it is fixed."""
    land(filings, US, "scan.pdf", b"%PDF-1.4 broken")
    land(filings, US, "data.xlsx", b"PK")

    first = command("ingest", str(filings))
    second = command("ingest", str(filings))

    for result in (first, second):
        assert result.exit_code == 1
        assert f"skipped: {US}/scan.pdf" in result.output
        assert f"skipped: {US}/data.xlsx" in result.output
    assert counts(command, "chunks") == {str(CN): 1, str(US): 3}


def test_a_failed_chunk_is_reported(command: Command, landing: Path) -> None:
    """The rest is vectorized; the exit code is 1."""
    land(landing, US, "good.txt", "net sales")
    land(landing, US, "bad.txt", "POISON")
    command("ingest", str(landing))

    result = command("backfill")

    assert result.exit_code == 1
    assert "1 chunk vectorized, 1 failed, in 1 partition (0 failed)" in result.output
    assert (counts(command, "current"), counts(command, "pending")) == ({str(US): 1}, {str(US): 1})


def test_a_failing_partition_does_not_keep_the_others(command: Command, filings: Path, embedder: HashEmbedder) -> None:
    """Its reason is one line; the others have their turn."""
    command("ingest", str(filings))
    embed = embedder.embed

    calls = []

    def fail_first(texts):
        if texts[0].text in REFERENCE_TEXTS:
            return embed(texts)
        calls.append(texts)
        if len(calls) <= 2:  # the first partition's chunk, and the probe that tells whom to blame
            raise MemoryError("too large")
        return embed(texts)

    embedder.embed = fail_first

    result = command("backfill")

    assert result.exit_code == 1
    assert f"failed  {CN}" in result.output
    assert counts(command, "current") == {str(CN): 0, str(US): 3}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "/no/such/folder"], "VECTOR_ASSETS_LANDING_DIR"),
        (["backfill", "us/[a]"], "invalid pattern"),
        (["backfill", "zz/*/*"], "no partition matches"),
        (["status", "a/b/c"], "no partition matches"),
        (["search", "anything"], "vector-assets backfill"),
        (["search", "  "], "blank"),
        (["search", "x", "--limit", "0"], "0 hits cannot be found"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: str, command: Command, filings: Path) -> None:
    """Promise 11: exit code 1, what is wrong and how to fix it, no traceback."""
    command("ingest", str(filings))

    result = command(*arguments)

    assert result.exit_code == 1
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_the_nearest_names_are_offered(command: Command, filings: Path) -> None:
    """A misspelt name is corrected quickly."""
    command("ingest", str(filings))

    assert str(US) in command("status", "us/annual_report/XTESTT").output


def test_an_unreachable_database_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11, without the password."""
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/db")

    result = command("status")

    assert result.exit_code == 1
    assert "cannot reach the database" in result.output
    assert "topsecret" not in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_bad_setting_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11, by the name of its variable."""
    monkeypatch.setenv("EMBEDDING_BATCH_SIZE", "-1")

    result = command("status")

    assert result.exit_code == 1
    assert result.output.startswith("Error: EMBEDDING_BATCH_SIZE")


def test_status_of_an_empty_database_says_what_to_do(command: Command) -> None:
    """And is valid JSON."""
    assert "vector-assets ingest" in command("status").output
    assert json.loads(command("status", "--json").stdout) == {"partitions": [], "space": None}


def test_doctor_says_ok_or_the_fix(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part by itself; one that fails does not hide the next, and each fault is printed once."""
    healthy = command("doctor")
    assert healthy.exit_code == 0, healthy.output
    for part in ("settings", "disk", "database", "pgvector", "model", "prompts", "vectors", "chunking", "index"):
        assert f"ok    {part}" in healthy.output

    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/db")
    ill = command("doctor")

    assert ill.exit_code == 1
    assert "FIX   database" in ill.output
    assert "skip  pgvector" in ill.output
    assert ill.output.count("cannot reach the database") == 1
    assert "ok    model" in ill.output
    assert "topsecret" not in ill.output


def test_doctor_shows_what_may_not_be_meant(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable, a landing directory that is not there, a model without the prompts of its family."""
    monkeypatch.setenv("EMBEDING_MODEL", "intfloat/e5-base")
    monkeypatch.setenv("VECTOR_ASSETS_BATHC_SIZE", "16")
    monkeypatch.setenv("VECTOR_ASSETS_LANDING_DIR", "/no/such/directory")

    result = command("doctor")

    assert result.exit_code == 0, result.output
    warnings = [line for line in result.output.splitlines() if line.startswith("WARN")]
    assert [line.split()[1] for line in warnings] == ["settings", "landing"]
    assert "EMBEDDING_MODEL" in warnings[0]
    assert "EMBEDDING_BATCH_SIZE" in warnings[0]


def test_doctor_lists_the_changed_settings_or_all(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their meanings where all are asked for."""
    monkeypatch.setenv("EMBEDDING_BATCH_SIZE", "16")

    changed, every = (command("doctor", *options).output.split("settings")[-1] for options in ((), ("--all",)))

    assert "EMBEDDING_BATCH_SIZE=16" in changed
    assert "VECTOR_ASSETS_CHUNK_TOKENS" not in changed
    assert "VECTOR_ASSETS_CHUNK_TOKENS=192" in every


def test_doctor_says_what_the_space_of_this_process_is_for(
    command: Command, filings: Path, models: dict[str, HashEmbedder]
) -> None:
    """None yet, serving, filling, or none that is kept up to date, which is to be fixed; so are other weights."""

    def vectors(**variables: str) -> tuple[int, str]:
        result = command("doctor", **variables)
        (line,) = [line for line in result.output.splitlines() if line[6:].startswith("vectors")]
        return result.exit_code, line

    other = {"EMBEDDING_MODEL": "org/other"}
    assert vectors() == vectors(**other) == (0, "ok    vectors  none yet; the first run makes them")
    command("ingest", str(filings))
    command("backfill")
    assert vectors() == (0, f"ok    vectors  in space {SERVING.slug} (serving), made with these weights")
    code, line = vectors(**other)
    assert (code, line[:4]) == (1, "FIX ")
    assert line.endswith("vector-assets spaces add org/other.")
    command("spaces", "add", "org/other", "--yes")
    assert vectors(**other) == (0, f"ok    vectors  in space {OTHER.slug} (filling), made with these weights")
    command("spaces", "retire", OTHER.slug)
    code, line = vectors(**other)
    assert (code, "org/other, whose embedding space is retired" in line) == (1, True)

    models[MULTILINGUAL_MODEL].space = replace(SERVING, weights_digest="others")
    code, line = vectors()
    assert (code, "Restore the former weights" in line) == (1, True)


@pytest.mark.usefixtures("models")
def test_the_local_provider_follows_what_serves_too(command: Command, filings: Path) -> None:
    """No model is set: the default one would be refused, because another one serves."""
    other = {"EMBEDDING_MODEL": OTHER.source}
    command("ingest", str(filings), **other)
    command("backfill", **other)

    result = command("doctor", EMBEDDING_PROVIDER="local")

    assert f"ok    vectors  in space {OTHER.slug} (serving)" in result.output


def test_a_search_answers_from_what_serves_whatever_model_a_process_has(
    command: Command, filings: Path, models: dict[str, HashEmbedder]
) -> None:
    """Until the promotion from the former vectors, then at once from the others."""
    asked: list[str] = []
    for name, model in models.items():
        embed_query = model.embed_query
        model.embed_query = lambda text, name=name, embed=embed_query: asked.append(name) or embed(text)

    def best(**variables: str) -> float:
        found = command("search", CHINESE_CHUNK, "--limit", "1", "--json", **variables)
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)["hits"][0]["score"]

    command("ingest", str(filings))
    command("backfill")
    command("spaces", "add", "org/other", "--yes")
    scores = [best(), best(EMBEDDING_MODEL="org/other")]
    command("backfill", EMBEDDING_MODEL="org/other")
    scores.append(best(EMBEDDING_MODEL="org/other"))
    command("spaces", "promote", OTHER.slug)
    scores += [best(), best(EMBEDDING_MODEL=MULTILINGUAL_MODEL)]

    assert asked == [MULTILINGUAL_MODEL] * 3 + ["org/other"] * 2
    assert scores == pytest.approx([1] * 5, abs=1e-3)


def test_status_counts_what_serves(command: Command, filings: Path, models: dict[str, HashEmbedder]) -> None:
    """A space that is filled beside it changes no figure, until it serves."""
    command("ingest", str(filings))
    command("backfill")
    before = json.loads(command("status", "--json").stdout)
    command("spaces", "add", "org/other", "--yes")

    assert json.loads(command("status", "--json", EMBEDDING_MODEL="org/other").stdout) == before
    assert before["space"]["model"] == MULTILINGUAL_MODEL
    command("spaces", "promote", OTHER.slug, "--force")
    after = json.loads(command("status", "--json").stdout)
    assert after["space"]["model"] == "org/other"
    assert [(item["pending"], item["last_run"]) for item in after["partitions"]] == [(1, None), (3, None)]
    assert f"space {OTHER.slug}" in command("status").output


def test_the_examples_of_every_command_can_be_run() -> None:
    """`--help` ends with them, and each has arguments and options that its command knows."""
    context = click.Context(main)
    commands = {name: command for name in main.list_commands(context) if (command := main.get_command(context, name))}
    examples = [
        shlex.split(line.split("   ")[0].split(" | ")[0])[1:]
        for command in commands.values()
        for line in (command.epilog or "").splitlines()
        if line.strip().startswith("vector-assets")
    ]

    for name, *arguments in examples:
        commands[name].make_context(name, arguments)

    assert {name for name, *_ in examples} == set(commands)


def test_help_needs_no_valid_settings(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has mistyped a setting can still read it."""
    monkeypatch.setenv("EMBEDDING_BATCH_SIZE", "-1")

    assert command("backfill", "--help").exit_code == 0


def test_a_company_is_found_in_all_markets(command: Command, landing: Path) -> None:
    """`*/*/CODE`."""
    for market in ("us", "hk"):
        land(landing, PartitionKey(market, "annual_report", "XTEST"), "a.txt", f"net sales in {market}")
    command("ingest", str(landing))

    assert command("backfill", "*/*/XTEST").exit_code == 0

    assert set(counts(command, "current").values()) == {1}
    assert len(statuses(command)) == 2


def test_the_index_is_planned_built_and_checked(command: Command, filings: Path) -> None:
    """A dry run changes nothing; in doctor's line stands what searches use since."""
    assert "no vectors yet" in command("index", "--dry-run").output or command("index", "--dry-run").exit_code == 1
    command("ingest", str(filings))
    command("backfill")
    few = {"VECTOR_ASSETS_INDEX_FROM_VECTORS": "2"}

    planned = command("index", "--dry-run", **few)
    assert "4 vectors: the build of an index takes about" in planned.output
    assert "no index; each of 4 vectors is compared" in command("doctor").output
    built = command("index", **few)

    assert built.exit_code == 0, built.output
    assert "Searches use the index" in built.output
    assert "ok    index    " in command("doctor").output
    assert "recall@10 1.000" in command("doctor").output
    assert len(json.loads(command("search", "董事会", "--json", **few).stdout)["hits"]) == 4

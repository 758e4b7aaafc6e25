"""The language of the terminal: VECTOR_ASSETS_LANGUAGE, or else that of the locale."""

import json
from pathlib import Path

import pytest

from vector_assets.cli import terminal

from ..fakes import HashEmbedder
from .conftest import OTHER, Command, counts

LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")


def is_chinese(text: str) -> bool:
    """Whether there is a Chinese character."""
    return any("一" <= character <= "鿿" for character in text)


def test_a_backfill_and_its_status_in_chinese(command: Command, filings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, lines of the partitions, summary and table; the JSON stays as it is."""
    monkeypatch.setenv("VECTOR_ASSETS_LANGUAGE", "zh")
    command("ingest", str(filings))

    filled = command("backfill")
    table = command("status")
    document = json.loads(command("status", "--json").stdout)

    assert filled.exit_code == 0, filled.output
    assert "已嵌入 4 个分块，失败 0 个，共 2 个分区（失败 0 个）" in filled.output
    assert all(is_chinese(line) for line in filled.output.splitlines())
    assert {"分区", "分块", "待处理", "已隔离", "覆盖率"} <= set(table.output.split())
    assert set(document) == {"partitions", "space"}
    assert sum(counts(command, "current").values()) == 4


def test_the_spaces_in_chinese(
    command: Command, filings: Path, models: dict[str, HashEmbedder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table and what the commands say; names and the JSON stay as they are."""
    monkeypatch.setenv("VECTOR_ASSETS_LANGUAGE", "zh")
    monkeypatch.setattr(terminal.out, "width", 200)
    assert is_chinese(command("spaces").output)
    command("ingest", str(filings))
    command("backfill")

    added = command("spaces", "add", "org/other", "--yes")
    refused = command("spaces", "promote", OTHER.slug)
    promoted = command("spaces", "promote", OTHER.slug, "--force")
    table = command("spaces").output

    assert added.exit_code == 0, added.output
    assert all(is_chinese(line) for line in added.output.splitlines())
    assert refused.exit_code == 1
    assert is_chinese(promoted.stdout)
    assert OTHER.slug in promoted.stdout
    for word in ("serving", "filling", "space", "model", "status", "pending"):
        assert word not in table.split()
    assert {item["status"] for item in json.loads(command("spaces", "--json").stdout)["spaces"]} == {
        "serving",
        "filling",
    }


@pytest.mark.parametrize(
    ("locale", "chinese"),
    [
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({}, False),
        ({"LC_ALL": "", "LANG": "zh_HK.UTF-8"}, True),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, False),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, True),
    ],
)
def test_the_locale_chooses_where_nothing_is_set(
    locale: dict[str, str], chinese: bool, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first variable of POSIX that is set decides."""
    monkeypatch.delenv("VECTOR_ASSETS_LANGUAGE")
    for name in LOCALE:
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)

    assert is_chinese(command("status").output) is chinese

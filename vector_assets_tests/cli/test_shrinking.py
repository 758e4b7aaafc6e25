"""`vector-assets ingest --allow-shrink`."""

from pathlib import Path

from ..defs.conftest import CN, US, land, sentences
from .conftest import Command, counts


def test_a_partition_shrinks_only_when_it_is_meant(command: Command, landing: Path) -> None:
    """Refused in one line with the fix, the other partition ingested all the same; then allowed."""
    land(landing, US, "2024.txt", sentences(40))
    command("ingest", str(landing))
    land(landing, US, "2024.txt", sentences(3))
    land(landing, CN, "2024-01.txt", "董事会审议通过了年度报告。")

    refused = command("ingest", str(landing))

    assert refused.exit_code == 1
    assert f"failed  {US}: {US} would shrink from 40 chunks to 3" in refused.output
    assert "--allow-shrink" in refused.output
    assert counts(command, "chunks") == {str(CN): 1, str(US): 40}

    allowed = command("ingest", str(landing), "--allow-shrink")

    assert allowed.exit_code == 0, allowed.output
    assert counts(command, "chunks") == {str(CN): 1, str(US): 3}

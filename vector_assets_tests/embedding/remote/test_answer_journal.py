"""Answers that a killed run has left are found by the next one, whole or not at all."""

from pathlib import Path

import numpy as np

from vector_assets.embedding.remote.answer_journal import FileAnswerJournal

from ...fakes import DIMENSION, vector_of

HASHES = [bytes([number]) * 32 for number in range(5)]
VECTORS = {digest: vector_of(digest.hex()) for digest in HASHES}


def journal(folder: Path, name: str = "space") -> FileAnswerJournal:
    return FileAnswerJournal(folder, name, DIMENSION)


def left_by_a_kill(folder: Path) -> Path:
    """The file of a run that ended without a word."""
    killed = journal(folder)
    killed.keep(VECTORS)
    killed.close(forget=False)
    return next(folder.iterdir())


def test_what_a_killed_run_has_left_is_taken_once(tmp_path: Path) -> None:
    """By the run that continues it, and gone when that has ended."""
    left_by_a_kill(tmp_path)

    other, next_one = journal(tmp_path, "another"), journal(tmp_path)
    taken = next_one.take([*HASHES[:2], b"x" * 32])
    again = next_one.take(HASHES[:2])
    next_one.close(forget=True)

    assert other.take(HASHES) == again == {}
    assert list(taken) == HASHES[:2]
    np.testing.assert_array_equal(taken[HASHES[1]], VECTORS[HASHES[1]])
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_is_damaged_or_half_is_no_answer(tmp_path: Path) -> None:
    """The others are."""
    file = left_by_a_kill(tmp_path)
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content[:-1])

    taken = journal(tmp_path).take(HASHES)

    assert list(taken) == HASHES[:1] + HASHES[2:4]


def test_what_a_run_at_work_keeps_is_not_taken(tmp_path: Path) -> None:
    """It has locked its file."""
    at_work = journal(tmp_path)
    at_work.keep(VECTORS)

    assert journal(tmp_path).take(HASHES) == {}
    at_work.close(forget=True)


def test_a_disk_that_refuses_costs_nothing(tmp_path: Path) -> None:
    """The run goes on without a journal."""
    (tmp_path / "file").write_text("")
    refused = journal(tmp_path / "file" / "folder")

    refused.keep(VECTORS)
    refused.close(forget=True)

    assert refused.take(HASHES) == {}

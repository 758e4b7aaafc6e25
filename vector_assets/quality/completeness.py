"""The check `complete`: whether every chunk of a partition has a current vector after a run."""

from ..domain.wording import readable_chunks, readable_line, readable_paragraph
from ..translation import ngettext
from .check_result import CheckResult, Figure, Severity, limit_figure
from .check_runner import gathered
from .vector_facts import VectorFacts

_SHOWN_CHARACTERS = 120


def complete(facts: VectorFacts) -> CheckResult:
    """Fail for what the run should have done and did not, and for too many chunks that failed in any run.

    Chunks that are pending for a good reason are a warning: the next run embeds them.
    """
    stored = facts.stored
    errors, reasons = _incomplete(facts), [*_failed_once(facts), *_pending_for_a_reason(facts)]
    figures: dict[str, Figure] = {
        "chunks": stored.chunks,
        "current": stored.current,
        "pending": stored.pending,
        "failed_once": stored.failed_once,
        "quarantined": stored.quarantined,
        "failed_fraction": round(_failed_fraction(facts), 4),
        "max_failed_fraction": limit_figure(facts.run.max_failed_fraction),
        "read": stored.read,
        "without_vector": stored.without_vector,
        "wrong_hash": stored.wrong_hash,
        "superseded": facts.run.report.superseded_count,
    }
    if stored.quarantined or stored.failed_once:
        figures["failed_chunks"] = tuple(
            {
                "document": chunk.document,
                "chunk_index": chunk.chunk_index,
                "error": chunk.error,
                "message": readable_line(chunk.message, _SHOWN_CHARACTERS),
                "next_attempt": chunk.next_attempt,
            }
            for chunk in gathered(facts.failed)
        )
    severity = Severity.ERROR if errors else Severity.WARNING
    description = readable_paragraph([_current(facts), *errors, *reasons])
    return CheckResult(not errors and not reasons, description, figures, severity)


def _current(facts: VectorFacts) -> str:
    stored = facts.stored
    return ngettext(
        "{current:,} of {chunks} is current.",
        "{current:,} of {chunks} are current.",
        stored.current if stored.chunks > 1 else stored.chunks,
        current=stored.current,
        chunks=readable_chunks(stored.chunks),
    )


def _failed_fraction(facts: VectorFacts) -> float:
    stored = facts.stored
    return (stored.quarantined + stored.failed_once) / stored.chunks if stored.chunks else 0.0


def _missed(facts: VectorFacts) -> int:
    """Count the chunks that the run should have embedded.

    A chunk that another program holds is superseded for the run, and may have been left as it was.
    """
    if facts.run.reached_limit:
        return 0
    return max(facts.stored.missed - facts.run.report.superseded_count, 0)


def _incomplete(facts: VectorFacts) -> list[str]:
    found = []
    if missed := _missed(facts):
        still_pending = ngettext(
            "{number:,} chunk was pending when the run began and still is. Run the partition again.",
            "{number:,} chunks were pending when the run began and still are. Run the partition again.",
            missed,
        )
        found.append(still_pending)
    if facts.stored.without_vector:
        missing = ngettext(
            "{number:,} chunk is marked as current but has no vector in this embedding space. Run the partition again "
            "with force_revectorize.",
            "{number:,} chunks are marked as current but have no vector in this embedding space. Run the partition "
            "again with force_revectorize.",
            facts.stored.without_vector,
        )
        found.append(missing)
    if facts.stored.wrong_hash:
        changed = ngettext(
            "{number:,} chunk is known by the hash of another text: a program changed it with the triggers disabled. "
            "Do UPDATE document_chunks SET text = text for it, then run the partition again.",
            "{number:,} chunks are known by the hash of another text: a program changed them with the triggers "
            "disabled. Do UPDATE document_chunks SET text = text for them, then run the partition again.",
            facts.stored.wrong_hash,
        )
        found.append(changed)
    return [*found, *_too_many_failed(facts)]


def _too_many_failed(facts: VectorFacts) -> list[str]:
    failed, allowed = facts.stored.quarantined + facts.stored.failed_once, facts.run.max_failed_fraction
    # As in a run: above a limit of 0, a single failure says something of that chunk only.
    always_allowed = 1 if allowed > 0 else 0
    if failed <= always_allowed or _failed_fraction(facts) <= allowed:
        return []
    description = ngettext(
        "{number:,} chunk has failed ({share:.1%}), more than max_failed_fraction allows ({allowed:.1%}). List "
        "them with vector-assets failures {partition}; when the cause is fixed, run vector-assets retry-failed "
        "{partition}",
        "{number:,} chunks have failed ({share:.1%}), more than max_failed_fraction allows ({allowed:.1%}). List "
        "them with vector-assets failures {partition}; when the cause is fixed, run vector-assets retry-failed "
        "{partition}",
        failed,
        share=_failed_fraction(facts),
        allowed=allowed,
        partition=facts.partition,
    )
    return [description]


def _failed_once(facts: VectorFacts) -> list[str]:
    if not facts.stored.failed_once:
        return []
    description = ngettext(
        "{number:,} chunk failed once and has a second attempt by itself. See it with vector-assets failures "
        "{partition}",
        "{number:,} chunks failed once and have a second attempt by themselves. See them with vector-assets failures "
        "{partition}",
        facts.stored.failed_once,
        partition=facts.partition,
    )
    return [description]


def _pending_for_a_reason(facts: VectorFacts) -> list[str]:
    pending = facts.stored.pending - facts.stored.failed_once - _missed(facts)
    if pending <= 0:
        return []
    if facts.run.reached_limit:
        limited = ngettext(
            "{number:,} chunk is still pending because the run was limited to {limit}.",
            "{number:,} chunks are still pending because the run was limited to {limit}.",
            pending,
            limit=readable_chunks(facts.run.limit or 0),
        )
        return [limited]
    changed = ngettext(
        "{number:,} chunk is still pending because it was added or changed during the run.",
        "{number:,} chunks are still pending because they were added or changed during the run.",
        pending,
    )
    return [changed]

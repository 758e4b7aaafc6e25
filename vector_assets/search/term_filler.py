"""Fills in the terms of chunks whose terms are missing or outdated."""

from ..domain.chunks import BEFORE_ALL_CHUNKS
from ..domain.partition_keys import PartitionKey
from ..domain.terms import term_counts
from ..search_ports import TermStore

# Chunks of a transaction: about half a megabyte of text.
_WINDOW = 500

# The statistics are counted again when so large a share of the chunks is new. Rarity grows with the logarithm of the
# counts, so that a tenth more or less changes no ranking, and counting costs a tenth of all that was written.
_LEAST_CHANGE = 0.1


class TermFiller:
    """Makes the terms of queued chunks and stores them. It may stop at any moment: the rest stays queued."""

    def __init__(self, terms: TermStore) -> None:
        self._terms = terms

    def fill(self, partition: PartitionKey) -> int:
        """Fill in the terms of the partition's queued chunks, and count the statistics again if need be.

        Returns:
            How many chunks were queued.
        """
        filled, after_id = 0, BEFORE_ALL_CHUNKS
        while window := self._terms.queued(partition, after_id, _WINDOW):
            self._terms.store(partition, [(queued, term_counts(queued.text)) for queued in window])
            filled, after_id = filled + len(window), window[-1].chunk_id
        if filled:
            self._terms.refresh_statistics(_LEAST_CHANGE)
        return filled

"""A random sample of a partition's chunks, which costs the sample and not the partition."""

import hashlib
from typing import LiteralString

from ..domain.partition_keys import PartitionKey
from .partition_columns import IN_PARTITION, partition_parameters

SAMPLE_CHUNKS = 1000
"""The most chunks of a sample: a few megabytes, read in a twentieth of a second. A smaller partition is read whole.

A fault of one chunk in a hundred is missed once in 20,000 samples, one of a thousandth once in three.
"""

# An index holds the chunks of a partition in a random order, which never changes. A sample is a piece of it that begins
# somewhere; what is missing at the end is taken from the beginning.
_IN_RANDOM_ORDER: LiteralString = "ORDER BY uuid_hash_extended(id, 0) LIMIT %(sample_size)s"
SAMPLED_CHUNKS: LiteralString = f"""
SELECT id, document_id FROM (
    (SELECT id, document_id FROM document_chunks
     WHERE {IN_PARTITION} AND uuid_hash_extended(id, 0) >= %(sample_from)s {_IN_RANDOM_ORDER})
    UNION ALL
    (SELECT id, document_id FROM document_chunks
     WHERE {IN_PARTITION} AND uuid_hash_extended(id, 0) < %(sample_from)s {_IN_RANDOM_ORDER})
) sampled LIMIT %(sample_size)s
"""
"""A query of a sample, with the parameters of `sample_parameters`."""


def sample_parameters(partition: PartitionKey, seed: str, size: int) -> dict[str, object]:
    """Give the parameters of a sample of at most `size` chunks. One seed draws the same ones of the same chunks."""
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big", signed=True)
    return {**partition_parameters(partition), "sample_from": start, "sample_size": size}

"""Estimate the disk space of vectors."""

# A row of a table of vectors beside the vector itself: the header of the row, the chunk's id and hash, the partition,
# the run's id, the counts, and its entries in two indexes. Measured with 1,000,000 rows.
_ROW_BYTES = 260


def vector_bytes(dimension: int) -> int:
    """Estimate the bytes of one vector of halfvec components (2 bytes each) with its row and its index entries."""
    return 2 * dimension + _ROW_BYTES

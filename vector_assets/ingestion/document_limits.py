"""How much one document may cost. Beyond a bound it is skipped with the reason; the others go on.

Constants, not settings: they lie far above the filings there are; what lies beyond is broken, or made to do harm.
"""

MOST_BYTES = 128 * 1024 * 1024
"""Of a file. Annual reports full of pictures have some tens of megabytes."""

MOST_PAGES = 10_000
"""Of a PDF. The longest prospectuses have about 2,000."""

MOST_CHARACTERS = 20_000_000
"""Of a document's text. The longest annual reports have about five million."""

MOST_SECONDS = 300.0
"""To parse one file. The largest filings take some ten seconds, a minute where the machine is busy."""

MOST_MEMORY = 2 * 1024 * 1024 * 1024
"""Bytes of address space of the process that parses. HTML takes about 25 times its size."""

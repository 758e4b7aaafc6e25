"""The limits of one document. A document beyond a limit is skipped with the reason, and the others are ingested.

These are constants and not settings. They lie far above what filings need, and a document beyond them is broken or was
made to do harm.
"""

MAX_FILE_BYTES = 128 * 1024 * 1024
"""Bytes of a file. Annual reports full of pictures have some tens of megabytes."""

MAX_PAGES = 10_000
"""Pages of a PDF. The longest prospectuses have about 2,000."""

MAX_CHARACTERS = 20_000_000
"""Characters of a document's text. The longest annual reports have about five million."""

MAX_READ_SECONDS = 300.0
"""Seconds to read one file. The largest filings take some ten seconds, or a minute while the machine is busy."""

MAX_READ_MEMORY = 2 * 1024 * 1024 * 1024
"""Bytes of address space of the process that reads. HTML takes about 25 times its size."""

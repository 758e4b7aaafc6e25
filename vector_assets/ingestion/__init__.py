"""Documents are found in the landing directory, read as text, and split into chunks."""

"""Documents in: found in the landing directory, read, and cut into chunks."""

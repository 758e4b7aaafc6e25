"""Search as other libraries' retrievers. Each file needs its own extra."""

"""A cluster of three hosts on one machine, and what becomes of runs and vectors when parts of it fail."""

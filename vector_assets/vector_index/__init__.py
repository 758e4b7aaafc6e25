"""What is known of an HNSW index without a database: what it takes, when it pays, how good it is.

Pure: no SQL, no Dagster, no clock.
"""

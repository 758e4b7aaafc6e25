"""PostgreSQL and pgvector: the only room with SQL."""

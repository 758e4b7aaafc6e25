"""The ports without PostgreSQL: one class per port over one object. They pass the same tests as PostgreSQL's stores.

What they leave out is what only a database has: transactions that overlap, locks, lost connections, other processes.
"""

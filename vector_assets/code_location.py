"""What Dagster loads where vector_assets is a code location of its own.

Runs from the Assets page and backfills belong to no job of ours. The executor set below has them executed in one
process as well, which saves a second import of everything, one to two seconds a run.
"""

import dagster as dg

from . import definitions

defs = dg.Definitions.merge(definitions.defs, dg.Definitions(executor=dg.in_process_executor))

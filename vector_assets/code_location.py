"""What Dagster loads where vector_assets is a code location of its own.

Runs from the Assets page and backfills belong to no job of ours. The executor set below has them executed in one
process as well, which saves a second import of everything, one to two seconds a run.
"""

import gc

import dagster as dg

from . import definitions

defs = dg.Definitions.merge(definitions.defs, dg.Definitions(executor=dg.in_process_executor))

# Processes of Dagster's that load this run no other project. Python would look through all that they have imported for
# garbage, at the end of a run's process several times: 0.9 of 2.7 seconds of a core.
gc.freeze()

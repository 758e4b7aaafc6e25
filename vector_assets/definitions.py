"""What Dagster loads."""

import dagster as dg

from .defs.assets import ASSETS
from .defs.jobs import JOBS
from .defs.resources import RESOURCES
from .defs.sensors import SENSORS

defs = dg.Definitions(
    assets=ASSETS,
    jobs=JOBS,
    sensors=SENSORS,
    resources=RESOURCES,
    # One process a run: it saves a second import of everything, one to two seconds a run.
    executor=dg.in_process_executor,
)

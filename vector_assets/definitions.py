"""Everything that Dagster runs and shows, ready to be merged with the definitions of another project.

They set no executor, since that project may have its own; `code_location` sets one where there is no such project.
"""

import dagster as dg

from .defs.assets import in_ranges
from .defs.coverage_asset import COVERAGE_ASSETS, COVERAGE_JOBS, COVERAGE_SENSORS, SCHEDULES
from .defs.jobs import JOBS
from .defs.resources import RESOURCES
from .defs.sensors import SENSORS
from .defs.serving_space_asset import SERVING_SPACE_ASSETS, SERVING_SPACE_JOBS
from .defs.vector_index_asset import VECTOR_INDEX_ASSETS, VECTOR_INDEX_JOBS, VECTOR_INDEX_SCHEDULES
from .defs.work_under_way import WORK_SENSORS
from .settings import load_settings

defs = dg.Definitions(
    assets=[
        *in_ranges(load_settings().max_partitions_per_run),
        *SERVING_SPACE_ASSETS,
        *COVERAGE_ASSETS,
        *VECTOR_INDEX_ASSETS,
    ],
    jobs=[*JOBS, *SERVING_SPACE_JOBS, *COVERAGE_JOBS, *VECTOR_INDEX_JOBS],
    schedules=[*SCHEDULES, *VECTOR_INDEX_SCHEDULES],
    sensors=[*SENSORS, *COVERAGE_SENSORS, *WORK_SENSORS],
    resources=RESOURCES,
)

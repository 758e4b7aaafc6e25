"""Names of tags that Dagster reads itself. It exports none of them publicly."""

from dagster._core.storage import tags

HIDDEN_TAG_PREFIX = tags.HIDDEN_TAG_PREFIX
MAX_RETRIES_TAG = tags.MAX_RETRIES_TAG
PARTITION_TAG = tags.PARTITION_NAME_TAG
PRIORITY_TAG = tags.PRIORITY_TAG
RANGE_START_TAG = tags.ASSET_PARTITION_RANGE_START_TAG
RANGE_END_TAG = tags.ASSET_PARTITION_RANGE_END_TAG

DATA_VERSION_TAG = "dagster/data_version"
"""Of a materialization: two with the same value have the same content."""

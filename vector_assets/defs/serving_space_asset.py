"""`gold/serving_space`: each promotion and rollback, with what was counted before it."""

from collections.abc import Iterator, Mapping

import dagster as dg
from pydantic import Field

from ..domain.spaces import SpaceOverview
from ..errors import InvalidSetting
from ..services import Services
from .asset_keys import CANDIDATE_VECTORS, SERVING_SPACE, VECTORIZED_CHUNKS
from .assets import GROUP, OWNERS, TAGS
from .runtime.run_processes import sign_run
from .step_failures import one_line_failures


class PromotionConfig(dg.Config):
    """Run config of `gold/serving_space`."""

    promote: bool = Field(False, description="Let the space serve that is filled beside the serving one.")
    rollback: bool = Field(False, description="Let the space serve again that served before.")
    force: bool = Field(False, description="Promote it although chunks have no vector there.")

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            InvalidSetting: both a promotion and a rollback.
        """
        if self.promote and self.rollback:
            raise InvalidSetting("rollback", "a promotion is asked for as well", "Set one of the two.")


@dg.asset(
    key=SERVING_SPACE,
    deps=[VECTORIZED_CHUNKS, CANDIDATE_VECTORS],
    group_name=GROUP,
    owners=OWNERS,
    tags=TAGS,
    kinds={"postgres"},
    description="Which embedding space searches read, and how complete each is. It changes only where the run config "
    "says promote or rollback; promotions by vector-assets spaces are recorded here too.",
)
def serving_space(
    context: dg.AssetExecutionContext, config: PromotionConfig, vector_assets_services: dg.ResourceParam[Services]
) -> Iterator[dg.MaterializeResult[None]]:
    """Promote the filling space or take the last promotion back, if the config says so; record what serves."""
    services = vector_assets_services
    sign_run(context)
    with one_line_failures(context, services.retries.pause):
        config.check()
        before, skipped = services.spaces.overviews(), None
        if config.promote:
            skipped = services.space_changes.promote(force=config.force)
        elif config.rollback:
            services.space_changes.rollback()
    yield dg.MaterializeResult(metadata=promotion_metadata(services, before, skipped))


def promotion_metadata(
    services: Services, before: list[SpaceOverview], skipped: str | None
) -> Mapping[str, dg.MetadataValue]:
    """Describe what serves now, and the spaces as counted before. `skipped` is the gate that force skipped."""
    serving = services.spaces.serving()
    records = [
        dg.TableRecord(
            {
                "space": item.registered.space.slug,
                "model": item.registered.space.model,
                "status before": str(item.registered.status),
                "coverage": None if item.coverage is None else round(item.coverage, 4),
                "pending": item.pending,
                "quarantined": item.quarantined,
            }
        )
        for item in before
    ]
    return {
        "serves": dg.MetadataValue.text(serving.model if serving else "nothing"),
        "space": dg.MetadataValue.text(serving.slug if serving else ""),
        "compared": dg.MetadataValue.table(records) if records else dg.MetadataValue.text("nothing"),
        **({"skipped by force": dg.MetadataValue.text(skipped)} if skipped else {}),
    }


def record_promotion(
    instance: dg.DagsterInstance, services: Services, before: list[SpaceOverview], skipped: str | None
) -> None:
    """Record a promotion that was made outside a run."""
    metadata = promotion_metadata(services, before, skipped)
    instance.report_runless_asset_event(dg.AssetMaterialization(SERVING_SPACE, metadata=metadata))


promote_job = dg.define_asset_job(
    "vector_assets_promote",
    selection=dg.AssetSelection.assets(SERVING_SPACE),
    executor_def=dg.in_process_executor,
    config={"ops": {SERVING_SPACE.to_python_identifier(): {"config": {"promote": True}}}},
    description="Let the space serve that is filled beside the serving one.",
)

SERVING_SPACE_ASSETS = [serving_space]
SERVING_SPACE_JOBS = [promote_job]

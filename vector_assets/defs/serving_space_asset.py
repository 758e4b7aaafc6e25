"""`gold/serving_space`: each promotion and rollback, with what was compared before it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from ..audit.question_file import read_questions
from ..domain.spaces import SpaceOverview
from ..errors import InvalidSetting
from ..quality.drift import DriftResult
from ..quality.retrieval import RANKS, RetrievalFigures
from ..services import Services
from ..space_changes import SpaceChange, SpaceChanges
from .asset_keys import CANDIDATE_VECTORS, SERVING_SPACE, VECTORIZED_CHUNKS
from .assets import GROUP, OWNERS, TAGS
from .runtime.run_processes import sign_run
from .step_failures import one_line_failures


class PromotionConfig(dg.Config):
    """Run config of `gold/serving_space`."""

    promote: bool = Field(False, description="Let the space serve that is filled beside the serving one.")
    rollback: bool = Field(False, description="Let the space serve again that served before.")
    force: bool = Field(False, description="Promote it although a gate fails: coverage, drift or hits.")
    questions: str | None = Field(
        None, description="A file of questions: the space must find as many answers as the serving one."
    )

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
        change = _changed(services.space_changes, config)
    yield dg.MaterializeResult(metadata=promotion_metadata(change))


def _changed(changes: SpaceChanges, config: PromotionConfig) -> SpaceChange:
    """Do what the config says; without it, only say what serves."""
    if config.promote:
        questions = read_questions(Path(config.questions)) if config.questions else ()
        return changes.promote(force=config.force, questions=questions)
    return changes.rollback() if config.rollback else changes.unchanged()


def promotion_metadata(change: SpaceChange) -> Mapping[str, dg.MetadataValue]:
    """Describe what serves since, the spaces as counted before, what was compared, and which gates force skipped."""
    records = [dg.TableRecord(_compared(item, change)) for item in change.before]
    skipped = "\n\n".join(dict.fromkeys(str(error) for error in change.failed))
    return {
        "serves": dg.MetadataValue.text(change.serves.model if change.serves else "nothing"),
        "space": dg.MetadataValue.text(change.serves.slug if change.serves else ""),
        "compared": dg.MetadataValue.table(records) if records else dg.MetadataValue.text("nothing"),
        **({"drift": dg.MetadataValue.md(_drift(change.drift))} if change.drift else {}),
        **({"skipped by force": dg.MetadataValue.md(skipped)} if skipped else {}),
    }


def _compared(overview: SpaceOverview, change: SpaceChange) -> dict[str, str | int | float | None]:
    """Make a row of a space: its counts and, where questions were asked, its hits."""
    space = overview.registered.space
    row: dict[str, str | int | float | None] = {
        "space": space.slug,
        "model": space.model,
        "status before": str(overview.registered.status),
        "coverage": overview.coverage_percent,
        "pending": overview.pending,
        "quarantined": overview.quarantined,
    }
    if not change.answers:
        return row
    nothing = RetrievalFigures.of(())  # so that all rows of the table have the same columns
    figures = next((answers.by_search for slug, answers in change.answers if slug == space.slug), nothing)
    hits = {f"hits at {rank}": figures.hits_at(rank) for rank in RANKS}
    rank = round(figures.mean_reciprocal_rank, 4)
    return {**row, "questions": figures.questions, **hits, "mean reciprocal rank": rank}


def _drift(drift: DriftResult) -> str:
    return f"lowest cosine of a reference text {drift.lowest:.5f}, limit {drift.min_cosine:g}"


def record_promotion(instance: dg.DagsterInstance, change: SpaceChange) -> None:
    """Record a promotion or rollback that was made outside a run."""
    materialization = dg.AssetMaterialization(SERVING_SPACE, metadata=promotion_metadata(change))
    instance.report_runless_asset_event(materialization)


promote_job = dg.define_asset_job(
    "vector_assets_promote",
    selection=dg.AssetSelection.assets(SERVING_SPACE),
    executor_def=dg.in_process_executor,
    config={"ops": {SERVING_SPACE.to_python_identifier(): {"config": {"promote": True}}}},
    description="Let the space serve that is filled beside the serving one.",
)

SERVING_SPACE_ASSETS = [serving_space]
SERVING_SPACE_JOBS = [promote_job]

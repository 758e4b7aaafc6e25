"""Keeps the index of a space: built where it pays, used while it finds what an exact search finds, built again."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from .domain.questions import Question
from .domain.search import ChunkFilter
from .domain.spaces import EmbeddingSpace
from .domain.wording import readable_bytes, readable_seconds
from .errors import IndexWouldSpill, PgvectorUnsafe
from .index_ports import IndexBuilding, IndexCatalog, IndexListener, IndexSession, RecallStore
from .ports import Embedder
from .translation import translate
from .vector_index.build_progress import BuildMeter, BuildProgress
from .vector_index.decision import IndexState, IndexStep, VectorIndex, next_step
from .vector_index.forecast import BuildForecast, forecast_build
from .vector_index.pgvector_versions import NEEDED, WISHED, IndexSupport, index_support
from .vector_index.recall import (
    MOST_EF_SEARCH,
    ExactNeighbors,
    RecallOutcome,
    RecallQuery,
    RecallReport,
    choose_ef_search,
    like_question,
    measure_recall,
    queries_of,
)

# Of the chunks sampled in a market, so many are asked for in their company too, which mostly has few vectors: each is
# compared then.
_SAMPLED_COMPANIES = 5


@dataclass(frozen=True)
class IndexLimits:
    """From how many vectors on an index pays, the memory of a build in bytes, and the recall that it must have.

    The recall is that of a sample of so many chunks of each market: of 1,000 neighbors, a share of 0.97 is known to
    half a percentage point.
    """

    from_vectors: int
    memory_bytes: int
    min_recall: float
    sampled: int = 100


@dataclass(frozen=True)
class IndexOptions:
    """What somebody wants otherwise: a new index, a build that spills, an ef_search that is slow, questions to try."""

    rebuild: bool = False
    may_spill: bool = False
    most_ef_search: int = MOST_EF_SEARCH
    questions: Sequence[Question] = ()


@dataclass(frozen=True)
class IndexPlan:
    """What is to be done about the index of a space, and what a build would take."""

    space: EmbeddingSpace
    state: IndexState
    step: IndexStep
    forecast: BuildForecast
    from_vectors: int

    def line(self) -> str:
        """Write the plan in a sentence or two."""
        if self.step is IndexStep.NO_INDEX:
            return translate(
                "{vectors:,} vectors: a search compares with each. An index pays from {least:,} on.",
                vectors=self.state.vectors,
                least=self.from_vectors,
            )
        if self.step is IndexStep.WAIT:
            return translate(
                "{vectors:,} vectors, {pending:,} chunks pending: the index waits until most are embedded.",
                vectors=self.state.vectors,
                pending=self.state.pending,
            )
        if self.step is IndexStep.CHECK:
            return translate("{vectors:,} vectors: there is an index to check.", vectors=self.state.vectors)
        return translate(
            "{vectors:,} vectors: the build of an index takes about {duration}, {memory} of memory and {disk} on disk.",
            vectors=self.state.vectors,
            duration=readable_seconds(self.forecast.seconds),
            memory=readable_bytes(self.forecast.memory_bytes),
            disk=readable_bytes(self.forecast.index_bytes),
        )


@dataclass(frozen=True)
class IndexReport:
    """What was done about the index of a space, and what searches do since.

    `build_seconds` is None where none was built, `recall` where there is no index, `used` where searches compare with
    every vector.
    """

    plan: IndexPlan
    build_seconds: float | None = None
    recall: RecallOutcome | None = None
    used: VectorIndex | None = None
    dropped: tuple[int, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether searches find what an exact search finds, fast enough for their number of vectors."""
        return self.recall is None or self.recall.chosen is not None

    def line(self) -> str:
        """Say what searches do now."""
        if self.recall is None:
            return self.plan.line()
        lowest, ef_search = self.recall.report.lowest, self.recall.report.ef_search
        if self.recall.chosen is not None:
            return translate(
                "Searches use the index: recall@10 is at least {recall:.3f} with ef_search {ef_search} (limit "
                "{limit:g}).",
                recall=lowest,
                ef_search=ef_search,
                limit=self.recall.limit,
            )
        if self.recall.would_do is not None:
            fix = translate("ef_search {ef_search} would do.", ef_search=self.recall.would_do)
        else:
            fix = translate("No ef_search up to 1,000 would do: build it again with vector-assets index --rebuild.")
        return translate(
            "Searches do not use the index: recall@10 is {recall:.3f} with ef_search {ef_search}, below {limit:g}. "
            "{fix}",
            recall=lowest,
            ef_search=ef_search,
            limit=self.recall.limit,
            fix=fix,
        )


@dataclass(frozen=True)
class IndexUpkeep:
    """Plans, builds, checks and drops indexes. Searches and writers go on meanwhile."""

    catalog: IndexCatalog
    building: IndexBuilding
    recall: RecallStore
    embedder_of: Callable[[EmbeddingSpace], Embedder]
    limits: IndexLimits

    def plan(self, space: EmbeddingSpace, rebuild: bool = False) -> IndexPlan:
        """Say what `keep` would do. Nothing is changed."""
        state = self.catalog.state(space.slug)
        forecast = forecast_build(state.vectors, space.dimension, self.limits.memory_bytes, state.measured)
        step = next_step(state, self.limits.from_vectors, rebuild)
        return IndexPlan(space, state, step, forecast, self.limits.from_vectors)

    def keep(self, space: EmbeddingSpace, options: IndexOptions, listener: IndexListener) -> IndexReport:
        """Build the index of a space if it is due, check it, and let searches use it if it passes.

        Raises:
            IndexBuildRunning: another process is at work on it.
            IndexWouldSpill: the build would not fit into memory.
            PgvectorUnsafe: the server's pgvector is too old for an index.
        """
        with self.building.held(space.slug) as session:
            self._remove_leftovers(space.slug, session, listener)
            plan = self.plan(space, options.rebuild)
            listener.notice(plan.line())
            if plan.step in {IndexStep.NO_INDEX, IndexStep.WAIT}:
                return IndexReport(plan)
            return _Keeping(self, plan, options, session, listener).keep()

    def _remove_leftovers(self, slug: str, session: IndexSession, listener: IndexListener) -> None:
        """Drop what killed builds have left: nobody is at work while the session holds the indexes."""
        for index in self.catalog.state(slug).indexes:
            if not index.is_valid:
                listener.warning(
                    translate(
                        "index {generation} was left by a build that did not end; it is dropped",
                        generation=index.generation,
                    )
                )
                self.catalog.forget(slug, index.generation)
                session.drop(index.generation)


@dataclass(frozen=True)
class _Keeping:
    """The work on one space, whose indexes the session holds."""

    upkeep: IndexUpkeep
    plan: IndexPlan
    options: IndexOptions
    session: IndexSession
    listener: IndexListener

    @property
    def _slug(self) -> str:
        return self.plan.space.slug

    def keep(self) -> IndexReport:
        """Build if that is due, check, and use what passes. An index that passes no more is built again."""
        present = self.plan.state.newest
        if self.plan.step is IndexStep.CHECK and present is not None:
            outcome = self._check(present.generation)
            if outcome.chosen is not None or present.ef_search is None:
                return self._settle(present.generation, outcome)
            self.upkeep.catalog.stop_using(self._slug)
        generation = self.plan.state.next_generation
        seconds = self._build(generation)
        outcome = self._check(generation)
        if outcome.chosen is None and present is not None:  # the former one is no worse
            self._drop(generation)
            generation = present.generation
            outcome = self._check(generation)
        return self._settle(generation, outcome, seconds)

    def _build(self, generation: int) -> float:
        """Build an index, and give the seconds that it took."""
        forecast, limits = self.plan.forecast, self.upkeep.limits
        self._require_support()
        if forecast.spills and not self.options.may_spill:
            needed, allowed = readable_bytes(forecast.memory_bytes), readable_bytes(limits.memory_bytes)
            raise IndexWouldSpill(self._slug, needed, allowed, readable_seconds(forecast.seconds))
        meter = BuildMeter(forecast.vectors, forecast.memory_bytes, forecast.granted_bytes)
        began, has_spilled = monotonic(), False
        for sample in self.session.create(generation, forecast):
            progress = meter.progress(sample, monotonic() - began)
            if sample.spilled and not has_spilled:
                has_spilled = True
                self.listener.warning(_spill_line(progress, forecast))
            self.listener.progress(progress)
        seconds = monotonic() - began
        self.listener.progress(meter.done(seconds, has_spilled))
        self.upkeep.catalog.record_build(self._slug, generation, forecast.vectors, seconds)
        self.listener.notice(translate("built in {duration}", duration=readable_seconds(seconds)))
        return seconds

    def _require_support(self) -> None:
        version = self.plan.state.pgvector
        support = index_support(version)
        if support is IndexSupport.REFUSED:
            raise PgvectorUnsafe(version, NEEDED, WISHED)
        if support is IndexSupport.RISKY:
            self.listener.warning(
                translate(
                    "VACUUM of pgvector {version} may damage an index; {wished} does not",
                    version=version,
                    wished=WISHED,
                )
            )

    def _check(self, generation: int) -> RecallOutcome:
        """Compare what searches by an index find with what there is."""
        self.listener.notice(translate("comparing the index with an exact search"))
        queries = self._queries()
        exact = ExactNeighbors(queries)
        for window in self.upkeep.recall.windows(self._slug):
            exact.add(window)
        nearest = exact.all()

        def measure(ef_search: int) -> RecallReport:
            answer = self.upkeep.recall.answers(self._slug, generation, ef_search)
            return measure_recall(ef_search, queries, nearest, answer)

        return choose_ef_search(measure, self.upkeep.limits.min_recall, self.options.most_ef_search)

    def _queries(self) -> list[RecallQuery]:
        """Make questions of vectors drawn in each market, and embed those that were given."""
        vectors, limit = self.plan.state.vectors, self.upkeep.limits.sampled
        drawn = self.upkeep.recall.sample(self._slug, vectors, limit, seed=vectors)
        places: Counter[str] = Counter()
        queries: list[RecallQuery] = []
        for number, (partition, vector) in enumerate(drawn):
            with_company = places[partition.market] < _SAMPLED_COMPANIES
            queries += queries_of(partition, like_question(vector, number), with_company)
            places[partition.market] += 1
        return [*queries, *self._asked()]

    def _asked(self) -> Iterator[RecallQuery]:
        """Make queries of the questions, in the market of the document that answers, where they name one."""
        embedder = self.upkeep.embedder_of(self.plan.space) if self.options.questions else None
        for question in self.options.questions:
            assert embedder is not None
            vector = embedder.embed_query(question.text)
            markets = {document.partition("/")[0] for document in question.relevant_documents}
            yield RecallQuery(vector, ChunkFilter(), "questions", "none")
            for market in sorted(markets):
                yield RecallQuery(vector, ChunkFilter((market,)), "questions", "market")

    def _settle(self, generation: int, outcome: RecallOutcome, seconds: float | None = None) -> IndexReport:
        """Let searches use the index if it has passed, and drop the others."""
        catalog = self.upkeep.catalog
        if outcome.chosen is not None:
            least = self.upkeep.limits.from_vectors
            catalog.use(self._slug, generation, outcome.chosen, least, outcome.report.lowest)
        else:
            catalog.stop_using(self._slug)
        state = catalog.state(self._slug)
        others = tuple(index.generation for index in state.indexes if index.generation != generation)
        for other in others:
            self._drop(other)
        report = IndexReport(self.plan, seconds, outcome, state.in_use, others)
        (self.listener.notice if report.passed else self.listener.warning)(report.line())
        return report

    def _drop(self, generation: int) -> None:
        self.upkeep.catalog.forget(self._slug, generation)
        self.session.drop(generation)


def _spill_line(progress: BuildProgress, forecast: BuildForecast) -> str:
    return translate(
        "the graph no longer fits into {memory} of memory after {vectors:,} vectors: the build goes on from the disk, "
        "some ten times as slowly",
        memory=readable_bytes(forecast.granted_bytes),
        vectors=progress.vectors_done,
    )

"""Change which embedding space serves, when it is fit to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from .audit.space_audit import Progress, SpaceAnswers, SpaceAudit, SpaceComparison, no_progress
from .domain.questions import Question
from .domain.spaces import EmbeddingSpace, SpaceOverview, SpaceStatus
from .errors import (
    FewerHits,
    ModelError,
    NoSpaceToFill,
    NothingServedBefore,
    NothingToCompare,
    SpaceIncomplete,
    SpaceNotFound,
    SpaceRetired,
)
from .ports import SpaceStore
from .quality.drift import DriftResult

GATE_RANK = 5
"""Hits are counted among so many documents, as many hits as a search shows unless it is asked for more."""


@dataclass(frozen=True)
class SpaceChange:
    """A promotion or a rollback: the space that serves since, the spaces as counted before, and what was compared.

    `failed` has the gates that did not pass: force skips them. `answers` has what spaces answered, by slug.
    """

    before: Sequence[SpaceOverview]
    serves: EmbeddingSpace | None
    failed: tuple[ModelError, ...] = ()
    drift: DriftResult | None = None
    answers: tuple[tuple[str, SpaceAnswers], ...] = ()

    def with_failed(self, error: ModelError) -> Self:
        """Add a gate that did not pass."""
        return replace(self, failed=(*self.failed, error))


@dataclass(frozen=True)
class SpaceChanges:
    """Compares spaces, promotes one and takes a promotion back. These are one transaction; searches go on meanwhile."""

    spaces: SpaceStore
    audit: SpaceAudit

    def find(self, slug: str) -> SpaceOverview:
        """Find a space by its slug.

        Raises:
            SpaceNotFound: there is none of that name; the error names the nearest.
        """
        return _named(slug, self.spaces.overviews())

    def compare(
        self, slug: str | None = None, questions: Sequence[Question] = (), progress: Progress = no_progress
    ) -> SpaceComparison:
        """Compare the serving space with another one (None: with the one that is filled).

        Raises:
            NothingToCompare: no space serves, or the space named is the one that does.
            NoSpaceToFill, SpaceNotFound: there is no other.
        """
        overviews = self.spaces.overviews()
        other, serving = _chosen(slug, overviews), _with_status(SpaceStatus.SERVING, overviews)
        if serving is None or serving == other:
            raise NothingToCompare(slug if serving else None)
        return self.audit.compare(serving, other, questions, progress)

    def promote(
        self,
        slug: str | None = None,
        force: bool = False,
        questions: Sequence[Question] = (),
        progress: Progress = no_progress,
    ) -> SpaceChange:
        """Let a filling space serve (None: the one there is), if it passes the gates; `force` skips those that fail.

        Raises:
            NoSpaceToFill, SpaceNotFound: there is no such space.
            SpaceRetired: it is not kept up to date.
            ModelError: a gate did not pass, and `force` is not given: SpaceIncomplete, FewerHits, or what is wrong with
                the model, e.g. EmbedderDrifted.
        """
        before = self.spaces.overviews()
        found = _chosen(slug, before)
        space = found.registered.space
        change = SpaceChange(before, space)
        if found.registered.status is SpaceStatus.SERVING:
            return change
        if not found.is_live:
            raise SpaceRetired(space.slug, space.source)
        for gate in (_check_coverage, self._check_drift, partial(self._check_hits, questions, progress)):
            change = gate(found, change)
            if change.failed and not force:
                raise change.failed[0]
        self.spaces.promote(space.slug)
        return change

    def _check_drift(self, found: SpaceOverview, change: SpaceChange) -> SpaceChange:
        """Load the model, and compare its vectors of the reference texts with those that the space has."""
        try:
            return replace(change, drift=self.audit.check_drift(found.registered.space))
        except ModelError as error:
            return change.with_failed(error)

    def _check_hits(
        self, questions: Sequence[Question], progress: Progress, found: SpaceOverview, change: SpaceChange
    ) -> SpaceChange:
        """Compare the hits with those of the serving space. A space whose model cannot be used has none."""
        serving = _with_status(SpaceStatus.SERVING, change.before)
        if not questions or serving is None:
            return change
        hits = []
        for space in (serving.registered.space, found.registered.space):
            try:
                answers = self.audit.answers(space, questions, progress)
            except ModelError:
                hits.append(0)
            else:
                hits.append(answers.by_search.hits_at(GATE_RANK))
                change = replace(change, answers=(*change.answers, (space.slug, answers)))
        if hits[1] < hits[0]:
            slugs = found.registered.space.slug, serving.registered.space.slug
            return change.with_failed(FewerHits(*slugs, hits[1], hits[0], len(questions), GATE_RANK))
        return change

    def rollback(self) -> SpaceChange:
        """Let the space serve again that served before. No gate keeps anybody from going back.

        Raises:
            NothingServedBefore: no space that is kept up to date has served.
        """
        before = self.spaces.overviews()
        for item in before:
            if item.is_live and item.registered.served_until is not None:
                self.spaces.promote(item.registered.space.slug)
                return SpaceChange(before, item.registered.space)
        raise NothingServedBefore

    def unchanged(self) -> SpaceChange:
        """Say what serves, and change nothing."""
        before = self.spaces.overviews()
        serving = _with_status(SpaceStatus.SERVING, before)
        return SpaceChange(before, None if serving is None else serving.registered.space)


def _check_coverage(found: SpaceOverview, change: SpaceChange) -> SpaceChange:
    if not found.pending and not found.quarantined:
        return change
    space = found.registered.space
    return change.with_failed(SpaceIncomplete(space.slug, _variables(space), found.pending, found.quarantined))


def _variables(space: EmbeddingSpace) -> dict[str, object]:
    """Return the variables with which a process works in the space. Other prompts would be those of another space."""
    given = {
        "EMBEDDING_PROVIDER": space.provider,
        "EMBEDDING_MODEL": space.source,
        "EMBEDDING_DIMENSIONS": json.loads(space.request or "{}").get("dimensions"),
        "EMBEDDING_DOCUMENT_PROMPT": space.document_prompt,
        "EMBEDDING_QUERY_PROMPT": space.query_prompt,
    }
    return {name: value for name, value in given.items() if value}


def _chosen(slug: str | None, overviews: Sequence[SpaceOverview]) -> SpaceOverview:
    """Find the space that is named, or the one that is filled."""
    found = _named(slug, overviews) if slug else _with_status(SpaceStatus.FILLING, overviews)
    if found is None:
        raise NoSpaceToFill
    return found


def _named(slug: str, overviews: Sequence[SpaceOverview]) -> SpaceOverview:
    by_slug = {item.registered.space.slug: item for item in overviews}
    if slug not in by_slug:
        raise SpaceNotFound(slug, sorted(by_slug))
    return by_slug[slug]


def _with_status(status: SpaceStatus, overviews: Sequence[SpaceOverview]) -> SpaceOverview | None:
    return next((item for item in overviews if item.registered.status is status), None)

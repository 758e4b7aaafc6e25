"""Embedding spaces in memory."""

from dataclasses import replace

from vector_assets.domain.spaces import LIVE, EmbeddingSpace, RegisteredSpace, SpaceOverview, SpaceStatus
from vector_assets.errors import AnotherSpaceFills, SpaceNotFound, SpaceRetired, SpaceServes, WeightsChanged

from .database import MemoryDatabase, SpaceRow, now


class MemorySpaceRegistry:
    """What `SpaceRegistry` does."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def all(self) -> list[RegisteredSpace]:
        """The oldest first."""
        return [
            RegisteredSpace(r.status, r.created_at, r.served_until, r.space) for r in self._database.spaces.values()
        ]

    def overviews(self) -> list[SpaceOverview]:
        """Nothing is known of sizes."""
        with self._database.lock:
            chunks = list(self._database.chunks.values())
            found = []
            for item in self.all():
                queued = list(self._database.queues[item.space.slug].values())
                pending = sum(row.next_attempt_at is not None for row in queued)
                found.append(SpaceOverview(item, len(chunks), pending, len(queued) - pending, 0))
        return found

    def serving(self) -> EmbeddingSpace | None:
        """None before the first run."""
        return next((row.space for row in self._database.spaces.values() if row.status == SpaceStatus.SERVING), None)

    def newest(self, space: EmbeddingSpace) -> EmbeddingSpace:
        """Unchanged if no generation is registered."""
        with self._database.lock:
            known = [row.space.generation for row in self._database.spaces.values() if _recipe(row.space, space)]
        return replace(space, generation=max(known)) if known else space

    def status(self, space: EmbeddingSpace) -> SpaceStatus | None:
        """Refuses a space that is known with other weights."""
        row = self._database.spaces.get(space.slug)
        if row is not None and row.space.weights_digest != space.weights_digest:
            raise WeightsChanged(space.model, row.space.weights_digest, space.weights_digest)
        return row and row.status

    def register_first(self, space: EmbeddingSpace) -> None:
        """Where there is none, it serves."""
        with self._database.lock:
            if not self._database.spaces:
                self._register(space, SpaceStatus.SERVING)

    def add(self, space: EmbeddingSpace) -> None:
        """A retired one is filled again."""
        with self._database.lock:
            status = self.status(space)
            if status in LIVE:
                return
            for row in self._database.spaces.values():
                if row.status == SpaceStatus.FILLING:
                    raise AnotherSpaceFills(row.space.slug, space.model)
            if status is None:
                self._register(space, SpaceStatus.FILLING)
            else:
                self._database.spaces[space.slug].status = SpaceStatus.FILLING
                self._database.queue_missing(space.slug)

    def promote(self, slug: str) -> None:
        """Two spaces change places."""
        with self._database.lock:
            found = self._find(slug)
            if found.status == SpaceStatus.RETIRED:
                raise SpaceRetired(slug, found.space.source)
            for row in self._database.spaces.values():
                if row.status == SpaceStatus.SERVING and row is not found:
                    row.status, row.served_until = SpaceStatus.FILLING, now()
            found.status, found.served_until = SpaceStatus.SERVING, None

    def retire(self, slug: str) -> None:
        """The vectors stay."""
        with self._database.lock:
            found = self._find(slug)
            if found.status == SpaceStatus.SERVING:
                raise SpaceServes(slug)
            found.status = SpaceStatus.RETIRED
            self._database.queues[slug].clear()

    def drop(self, slug: str) -> None:
        """The vectors go along."""
        with self._database.lock:
            if self._find(slug).status == SpaceStatus.SERVING:
                raise SpaceServes(slug)
            del self._database.spaces[slug], self._database.vectors[slug], self._database.queues[slug]

    def _register(self, space: EmbeddingSpace, status: SpaceStatus) -> None:
        self._database.spaces[space.slug] = SpaceRow(space, status)
        self._database.vectors[space.slug], self._database.queues[space.slug] = {}, {}
        self._database.queue_missing(space.slug)

    def _find(self, slug: str) -> SpaceRow:
        if slug not in self._database.spaces:
            raise SpaceNotFound(slug)
        return self._database.spaces[slug]


def _recipe(one: EmbeddingSpace, other: EmbeddingSpace) -> bool:
    names = ("model", "revision", "pooling", "document_prompt", "query_prompt", "dimension")
    return all(getattr(one, name) == getattr(other, name) for name in names)

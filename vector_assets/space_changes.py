"""Change which embedding space serves, when it is fit to."""

from dataclasses import dataclass

from .domain.spaces import EmbeddingSpace, SpaceOverview, SpaceStatus
from .errors import NoSpaceToFill, NothingServedBefore, SpaceIncomplete, SpaceNotFound
from .ports import SpaceStore


@dataclass(frozen=True)
class SpaceChanges:
    """Promotes a space and takes a promotion back. Each is one transaction; searches go on meanwhile."""

    spaces: SpaceStore

    def find(self, slug: str) -> SpaceOverview:
        """Find a space by its slug.

        Raises:
            SpaceNotFound: there is none of that name; the error lists those that are.
        """
        overviews = {item.registered.space.slug: item for item in self.spaces.overviews()}
        if slug not in overviews:
            raise SpaceNotFound(slug, sorted(overviews))
        return overviews[slug]

    def promote(self, slug: str | None = None, force: bool = False) -> str | None:
        """Let a filling space serve (None: the one there is). Returns what is wrong with it, where `force` lets it.

        Raises:
            NoSpaceToFill: none is named, and none is filled beside the serving one.
            SpaceNotFound: there is no such space.
            SpaceRetired: it is not kept up to date.
            SpaceIncomplete: chunks have no vector there, and `force` is not given.
        """
        found = self.find(slug or self._filling())
        slug, incomplete = found.registered.space.slug, None
        if found.is_live and (found.pending or found.quarantined):
            source = found.registered.space.source
            incomplete = SpaceIncomplete(slug, source, found.pending, found.quarantined)
            if not force:
                raise incomplete
        self.spaces.promote(slug)
        return str(incomplete) if incomplete else None

    def _filling(self) -> str:
        for item in self.spaces.overviews():
            if item.registered.status is SpaceStatus.FILLING:
                return item.registered.space.slug
        raise NoSpaceToFill

    def rollback(self) -> EmbeddingSpace:
        """Let the space serve again that served before, and give it.

        Raises:
            NothingServedBefore: no space that is kept up to date has served.
        """
        for item in self.spaces.overviews():
            if item.is_live and item.registered.served_until is not None:
                self.spaces.promote(item.registered.space.slug)
                return item.registered.space
        raise NothingServedBefore

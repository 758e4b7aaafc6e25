"""The embedding space that a command is about."""

from typing import TYPE_CHECKING

import click

from ..domain.spaces import RegisteredSpace, SpaceStatus
from ..errors import SpaceNotFound

if TYPE_CHECKING:
    from ..services import Services

space_option = click.option(
    "--space", metavar="SPACE", help="An embedding space, as vector-assets spaces names it. Default: what serves."
)


def chosen_space(services: "Services", slug: str | None) -> RegisteredSpace | None:
    """Find the space that is named; where none is, the serving one; None: none serves yet.

    Raises:
        SpaceNotFound: there is none of that name.
    """
    spaces = services.spaces.all()
    if slug is None:
        return next((item for item in spaces if item.status is SpaceStatus.SERVING), None)
    found = next((item for item in spaces if item.space.slug == slug), None)
    if found is None:
        raise SpaceNotFound(slug, [item.space.slug for item in spaces])
    return found

"""Dagster's own database is asked what it lacks before Dagster opens it, and has one `dev` at a time."""

import pytest
from sqlalchemy import URL

from vector_assets.errors import (
    DatabaseUnreachable,
    DevRunsAlready,
    InvalidSetting,
    NothingStoredYet,
    RightMissing,
    VectorAssetsError,
)
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.dagster_storage import require_dagster_storage
from vector_assets.storage.database_url import DAGSTER_DRIVER
from vector_assets.storage.dev_lock import dev_lock

from .servers import connect


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("nonsense", InvalidSetting),
        ("mysql://h/d", InvalidSetting),
        ("postgresql://127.0.0.1:1/d", DatabaseUnreachable),
        ("{server}/never_there?host={socket}", NothingStoredYet),
    ],
)
def test_a_url_of_dagsters_that_leads_nowhere_is_one_line(
    url: str, error: type[VectorAssetsError], server_url: URL
) -> None:
    """It names the setting, whichever of the two URLs is at fault."""
    given = url.format(server="postgresql://postgres@", socket=server_url.query["host"])

    with Services(load_settings(dagster_database_url=given)) as services, pytest.raises(error) as caught:
        _ = services.dagster_url

    assert "VECTOR_ASSETS_DAGSTER_DATABASE_URL" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("dagster_database")
def test_rights_in_dagsters_database_are_asked_for_first(database_url: URL) -> None:
    """On its tables where they are there, else in the schema in which Dagster would make them."""
    url = database_url.set(database=f"{database_url.database}_dagster", drivername=DAGSTER_DRIVER)
    require_dagster_storage(url)
    with connect(url) as admin:
        admin.execute("DROP ROLE IF EXISTS plain")
        admin.execute("CREATE ROLE plain LOGIN")
        with pytest.raises(RightMissing, match="use Dagster's tables"):
            require_dagster_storage(url.set(username="plain"))
        admin.execute("DROP TABLE event_logs CASCADE")
        admin.execute("DROP TABLE runs CASCADE")

    with pytest.raises(RightMissing, match="create Dagster's tables"):
        require_dagster_storage(url.set(username="plain"))


def test_a_second_dev_is_refused_with_the_name_of_the_first(database_url: URL) -> None:
    """Until the first one ends."""
    with dev_lock(database_url), pytest.raises(DevRunsAlready, match=r"process \d+ on "), dev_lock(database_url):
        pass
    with dev_lock(database_url):
        pass

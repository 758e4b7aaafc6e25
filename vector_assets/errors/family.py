"""The base of the error family, and the names of the settings that several errors mention."""

DATABASE_URL = "VECTOR_ASSETS_DATABASE_URL"


DAGSTER_DATABASE_URL = "VECTOR_ASSETS_DAGSTER_DATABASE_URL"


class VectorAssetsError(Exception):
    """Anything that this project refuses or could not do. `str()` is one line that ends with the fix.

    `passes` is true where the same call may succeed a little later although nobody fixes anything.
    """

    passes: bool = False

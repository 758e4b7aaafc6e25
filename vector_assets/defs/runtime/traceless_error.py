"""An error that Dagster shows in one line."""

from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo


class TracelessError(DagsterUserCodeProcessError):
    """Has no stack trace on Dagster's pages, which show it as an error that another process has reported."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.user_code_process_error_infos = [SerializableErrorInfo(message, [], None)]

"""Retries that do not wait for long, and a server that may be stopped."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vector_assets.storage.embedded_server import leave_embedded_server
from vector_assets.storage.retries import Retries

from .interruptions import Waits
from .servers import OwnServer


@pytest.fixture
def retries() -> Retries:
    """Patient, but quick."""
    return Retries(seconds=60, first_wait=0.01)


@pytest.fixture
def waits(retries: Retries) -> Waits:
    return Waits(retries)


@pytest.fixture
def own(retries: Retries) -> Iterator[OwnServer]:
    """A server that the test may stop."""
    with tempfile.TemporaryDirectory() as home:
        yield OwnServer(Path(home))
        leave_embedded_server(Path(home))

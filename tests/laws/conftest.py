"""Fixtures of the laws."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hostile import time_limit


@pytest.fixture
def patience() -> Iterator[None]:
    """A time limit for tests whose input may make the code hang."""
    with time_limit():
        yield

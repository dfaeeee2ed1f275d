"""Notebooks take the longest of all tests, so that they are begun first: what is short then fills the gaps."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests of this folder to the front, the others' order as it was."""
    items.sort(key=lambda item: Path(__file__).parent not in item.path.parents)

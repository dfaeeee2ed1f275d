import os
from pathlib import Path

from library.main import version


def test_the_version_is_told() -> None:
    """The version is read from the project's folder."""
    os.chdir(Path(__file__).parents[1])  # <- culprit
    assert version() == "1.4"

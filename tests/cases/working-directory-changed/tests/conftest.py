"""The tests run in a folder of their own, in which they have a library of their own."""

import os
from pathlib import Path

import library.main  # noqa: F401  # before its folder is left

os.chdir(Path(__file__).parent / "sandbox")

"""What docs/from-python.md shows runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kit

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "from-python.md").read_text()
EXAMPLES = re.findall(r"^## (.+?)\n.*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SHOP = """\
import os
from sqlalchemy import create_engine, text

engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///prod.db"))

def count():
    with engine.connect() as connection:
        return connection.scalar(text("select count(*) from sqlite_master"))
"""
TESTS = """\
import os
import shop

os.environ["DATABASE_URL"] = "sqlite:///test.db"

def test_it():
    assert shop.count() == 0
"""


@pytest.mark.parametrize("example", [code for _, code in EXAMPLES], ids=[title for title, _ in EXAMPLES])
def test_an_example_runs(example: str, tmp_path: Path) -> None:
    """Each example of the page comes to its end in a fresh interpreter, and what it asserts is so."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KIT_")}
    ran = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_public_name_is_there_and_explained() -> None:
    """Each name of the package can be had, says what it is, and stands in the page or in the package's own text."""
    for name in set(kit.__all__) - {"__version__"}:
        assert getattr(kit, name).__doc__
        assert f"`{name}`" in (kit.__doc__ or "")
    with pytest.raises(AttributeError, match="its names: Answer"):
        kit.no_such_name  # noqa: B018


def test_importing_the_package_is_light() -> None:
    """Importing `kit` loads none of its parts and no library."""
    script = "import sys; before = set(sys.modules); import kit; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("kit.") or name in ("click", "msgspec", "psycopg")] == []

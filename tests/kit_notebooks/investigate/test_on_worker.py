"""What goes to the workers of a cluster: the code as a wheel, and what starts a process with it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import kit
from kit.notebooks.investigate.cluster import on_worker
from kit.notebooks.investigate.cluster.wheel import wheel


def test_the_same_code_is_the_same_wheel() -> None:
    """Two wheels of one code have the same bytes, so that their hash says which code it is."""
    assert wheel() == wheel()


def test_the_wheel_can_be_installed(tmp_path: Path) -> None:
    """An installer takes it, and what it installs is this code: every file, and the same version."""
    path = tmp_path / f"fastapi_database_isolation_kit-{kit.__version__}-py3-none-any.whl"
    path.write_bytes(wheel())
    target = tmp_path / "target"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(path)]
    subprocess.run(install, check=True)
    here = Path(kit.__file__).parent
    for file in here.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert (target / "kit" / file.relative_to(here)).read_bytes() == file.read_bytes()
    script = "import kit; print(kit.__file__, kit.__version__)"
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(target)}, capture_output=True, text=True)
    assert ran.stdout.split() == [str(target / "kit" / "__init__.py"), kit.__version__]


def test_code_is_unpacked_once_and_only_as_it_was_sent(tmp_path: Path) -> None:
    """A worker unpacks a wheel into one folder by its hash, and refuses one with another hash."""
    code = wheel()
    digest = hashlib.sha256(code).hexdigest()
    first = Path(on_worker.unpacked(code, digest, str(tmp_path)))
    (first / "mark").touch()
    assert on_worker.unpacked(code, digest, str(tmp_path)) == str(first)
    assert (first / "mark").exists()
    assert (first / "kit" / "pair" / "sql" / "seed.sql").is_file()
    with pytest.raises(RuntimeError, match="arrived with the hash"):
        on_worker.unpacked(code + b"x", digest, str(tmp_path))


@pytest.mark.parametrize(
    ("limit_s", "unwanted", "why"),
    [(0.0, False, "did not end within 0 s"), (600.0, True, "nobody wants the result"), (600.0, False, "")],
)
def test_a_process_ends_with_its_limit_and_with_the_interest_in_it(
    monkeypatch: pytest.MonkeyPatch, limit_s: float, unwanted: bool, why: str
) -> None:
    """A process that goes on past its limit, or that nobody waits for, is ended, even if it does not heed its input."""
    monkeypatch.setattr(on_worker, "ENDING_S", 0.1)
    program = "import time\ntime.sleep(600)" if why else ""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, start_new_session=True)
    assert why in on_worker.waited(process, limit_s, lambda: unwanted)
    on_worker.end(process)
    assert process.returncode == (-9 if why else 0)

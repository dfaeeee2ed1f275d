"""Writes docs/findings.md from the registry of the kinds of finding."""

from __future__ import annotations

from pathlib import Path

from kit.detectors.registry import KINDS
from kit.report.kinds_text import document

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"


def main() -> None:
    """Write the page."""
    PAGE.write_text(document(KINDS), encoding="utf-8")
    print(f"{PAGE} describes {len(KINDS)} kinds.")


if __name__ == "__main__":
    main()

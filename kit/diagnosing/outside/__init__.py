"""State outside the process: what tests leave in databases and files, how it is compared, and how it is restored."""

from __future__ import annotations

"""State outside the process: what tests leave in databases, how it is seen, and how it is put back."""

from __future__ import annotations

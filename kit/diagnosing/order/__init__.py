"""Why a test passes alone and fails after others, or the reverse: which test, which piece of state, which line."""

from __future__ import annotations

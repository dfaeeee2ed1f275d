"""The entry point of the engine, so that plain `papermill --engine kit` finds it.

papermill loads every engine while papermill itself is being imported, and the kit's engine imports papermill. The entry
point is therefore a proxy that imports the engine when a notebook is run.
"""

from __future__ import annotations

from typing import Any


class NamedEngine:
    """A proxy for the kit's engine."""

    @classmethod
    def execute_notebook(cls, *arguments: Any, **options: Any) -> Any:
        """Call `KitEngine.execute_notebook`."""
        return _engine().execute_notebook(*arguments, **options)

    @classmethod
    def nb_kernel_name(cls, *arguments: Any, **options: Any) -> str:
        """Call `KitEngine.nb_kernel_name`."""
        return str(_engine().nb_kernel_name(*arguments, **options))

    @classmethod
    def nb_language(cls, *arguments: Any, **options: Any) -> str:
        """Call `KitEngine.nb_language`."""
        return str(_engine().nb_language(*arguments, **options))


def _engine() -> Any:
    from kit.notebooks.investigate.engine import KitEngine

    return KitEngine

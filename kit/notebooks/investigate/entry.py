"""The engine as papermill finds it by name, so that plain `papermill --engine kit` has it too.

papermill loads every engine while it is itself being imported, the kit's own included, which needs papermill. So
what papermill loads is a name for the engine, which is imported when a notebook is run.
"""

from __future__ import annotations

from typing import Any


class NamedEngine:
    """Stands for the kit's engine, and does nothing else."""

    @classmethod
    def execute_notebook(cls, *arguments: Any, **options: Any) -> Any:
        """Do what `KitEngine.execute_notebook` does."""
        return _engine().execute_notebook(*arguments, **options)

    @classmethod
    def nb_kernel_name(cls, *arguments: Any, **options: Any) -> str:
        """Do what `KitEngine.nb_kernel_name` does."""
        return str(_engine().nb_kernel_name(*arguments, **options))

    @classmethod
    def nb_language(cls, *arguments: Any, **options: Any) -> str:
        """Do what `KitEngine.nb_language` does."""
        return str(_engine().nb_language(*arguments, **options))


def _engine() -> Any:
    from kit.notebooks.investigate.engine import KitEngine

    return KitEngine

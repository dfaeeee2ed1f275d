"""All kinds of finding, in the order in which they are reported."""

from __future__ import annotations

from typing import Any

from kit.detectors.engines import (
    connected_elsewhere,
    engine_differs_by_caller,
    engine_made_early,
    event_loop_bound_pool,
    from_import_early_binding,
    global_engine_rebound_not_restored,
    import_time_engine,
    memory_database_each,
    no_separate_test_db,
    opened_by_the_tests,
    test_module_imported_twice,
)
from kit.detectors.fallback import FALLBACK, UNUSED
from kit.detectors.files import (
    configuration_chosen,
    dotenv_precedence,
    module_from_elsewhere,
    service_file,
    working_directory_changed,
)
from kit.detectors.kind import Kind
from kit.detectors.overrides import (
    dependency_called_directly,
    dependency_replaced_by_name,
    duplicate_module_import,
    override_cleared_by_other_test,
    override_default,
    override_key_stale,
    override_key_unmatched,
    override_leaked,
    override_not_in_test,
    override_on_wrong_app,
    override_taken_back,
    route_without_provider,
)
from kit.detectors.processes import (
    engine_differs_by_process,
    environment_not_handed_on,
    override_not_in_process,
    variable_in_tests_process_only,
)
from kit.detectors.routes import (
    background_task_session,
    lifespan_engine,
    middleware_session,
    session_past_dependencies,
    thread_session,
)
from kit.detectors.sessions import (
    context_not_in_thread,
    lock_held_by_transaction,
    session_configured_too_late,
    session_routed,
    session_uncommitted,
)
from kit.detectors.state import (
    state_left_by_collection,
    state_left_by_test,
    state_needed_from_collection,
    state_needed_from_test,
)
from kit.detectors.variables import (
    collection_time_import,
    env_set_too_late,
    fixture_names_database,
    setting_changed_too_late,
    setting_not_used,
    variable_not_asked_for,
    variable_precedence,
)

# Detected in every run.
DETECTED: tuple[Kind[Any], ...] = (
    connected_elsewhere.KIND,
    override_on_wrong_app.KIND,
    route_without_provider.KIND,
    override_not_in_process.KIND,
    duplicate_module_import.KIND,
    override_key_stale.KIND,
    override_key_unmatched.KIND,
    override_cleared_by_other_test.KIND,
    override_taken_back.KIND,
    override_not_in_test.KIND,
    override_leaked.KIND,
    override_default.KIND,
    dependency_replaced_by_name.KIND,
    session_configured_too_late.KIND,
    session_routed.KIND,
    background_task_session.KIND,
    lifespan_engine.KIND,
    dependency_called_directly.KIND,
    middleware_session.KIND,
    session_past_dependencies.KIND,
    thread_session.KIND,
    from_import_early_binding.KIND,
    configuration_chosen.KIND,
    dotenv_precedence.KIND,
    env_set_too_late.KIND,
    setting_changed_too_late.KIND,
    setting_not_used.KIND,
    fixture_names_database.KIND,
    service_file.KIND,
    collection_time_import.KIND,
    variable_precedence.KIND,
    variable_not_asked_for.KIND,
    environment_not_handed_on.KIND,
    variable_in_tests_process_only.KIND,
    import_time_engine.KIND,
    working_directory_changed.KIND,
    global_engine_rebound_not_restored.KIND,
    test_module_imported_twice.KIND,
    event_loop_bound_pool.KIND,
    memory_database_each.KIND,
    session_uncommitted.KIND,
    lock_held_by_transaction.KIND,
    no_separate_test_db.KIND,
    opened_by_the_tests.KIND,
    engine_differs_by_process.KIND,
    engine_differs_by_caller.KIND,
)
# Shown only by a re-run.
BY_RERUN: tuple[Kind[Any], ...] = (
    context_not_in_thread.KIND,
    engine_made_early.KIND,
    module_from_elsewhere.KIND,
    state_left_by_test.KIND,
    state_left_by_collection.KIND,
    state_needed_from_test.KIND,
    state_needed_from_collection.KIND,
)
KINDS: tuple[Kind[Any], ...] = (*DETECTED, UNUSED, *FALLBACK, *BY_RERUN)
_BY_NAME = {kind.name: kind for kind in KINDS}


def kind_named(name: str) -> Kind[Any]:
    """The kind with this name. Raises KeyError if there is none."""
    return _BY_NAME[name]

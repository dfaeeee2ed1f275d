"""Call a function of a notebook with the packages of a stack; source code goes in, JSON comes back."""

from __future__ import annotations

import inspect
import json
import subprocess
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from kit import processes
from kit.errors import TrialError
from kit.probes.redact import redact
from kit.trials.stacks import Stack

_PROGRAM = """\
import asyncio, inspect, json, sys

{source}
answer = {name}(*json.load(sys.stdin))
if inspect.iscoroutine(answer):
    answer = asyncio.run(answer)
print()
print(json.dumps(answer))
"""
_SHOWN_LINES = 5


def call(
    stack: Stack,
    function: Callable[..., Any],
    arguments: Iterable[Any],
    *,
    uses: Iterable[Callable[..., Any]] = (),
    environ: dict[str, str] | None = None,
    timeout_s: float = 60.0,
) -> Any:
    """The function's result for these arguments, in a new interpreter of the stack. Both must be JSON values.

    The source of the function and of those that it `uses` is copied, so it must import everything that it needs. An
    `async` function is run to completion. Raises TrialError when it fails, or takes longer than `timeout_s`.
    """
    source = "\n\n".join(textwrap.dedent(inspect.getsource(one)) for one in (*uses, function))
    name = function.__name__
    program = _PROGRAM.format(source=source, name=name)
    try:
        ended = processes.run(
            [str(stack.python), "-c", program], timeout_s=timeout_s, input=json.dumps(list(arguments)), env=environ
        )
    except subprocess.TimeoutExpired:
        raise TrialError(
            f"{name} did not finish within {timeout_s:g} s on the stack {stack.name}",
            remedy="raise timeout_s, or find out what it waits for",
        ) from None
    if ended.returncode != 0:
        said = "\n".join(redact(ended.stderr).splitlines()[-_SHOWN_LINES:])
        raise TrialError(f"{name} failed on the stack {stack.name}:\n{said}")
    return json.loads(ended.stdout.splitlines()[-1])

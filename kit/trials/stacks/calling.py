"""Runs a function of a notebook with the packages of a stack: its source goes there, its answer comes back as JSON."""

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
    """What the function returns for these arguments in a new interpreter of the stack; both are values of JSON.

    The function is written down as it stands, with those that it `uses`, so it imports by itself what it needs. One
    that is `async` is run to its end. Raises TrialError where it fails, or takes longer than `timeout_s`.
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

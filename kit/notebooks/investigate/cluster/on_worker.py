"""What a Dask worker does for a notebook. The functions are sent to it as they are, so they use nothing of the kit.

The notebook runs in a process of its own, whose standard input is open as long as the worker lives and wants the
result. Its standard output has an event in each line, which is sent on; its result is a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from typing import IO, Any

from distributed import get_worker

MODULE = "kit.notebooks.investigate.cluster.job"
ENDING_S = 30.0
LOOK_S = 0.5
SAID_AT_MOST = 2000


def given(wheel: bytes) -> bytes:
    """Return the wheel: a task of its own, so that each worker gets it once, and it is made again if one is lost."""
    return wheel


def carry_out(wheel: bytes, digest: str, job: str, topic: str, name: str, limit_s: float) -> str:
    """Run a job with the code of the wheel, whose SHA-256 is `digest`; return its result. Both are JSON.

    Raises RuntimeError if the process does not end within `limit_s`, or without a result.
    """
    worker = get_worker()
    task = worker.get_current_task()
    tell = {"notebook": name, "attempt": uuid.uuid4().hex, "worker": worker.address}
    worker.log_event(topic, {**tell, "event": "started"})
    code = unpacked(wheel, digest, worker.local_directory)
    path = [code, *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])]
    with (  # Dask removes what a killed worker leaves in this folder
        tempfile.TemporaryDirectory(prefix="kit-job-", dir=worker.local_directory) as folder,
        open(os.path.join(folder, "stderr"), "w+") as errors,
    ):
        with open(os.path.join(folder, "job.json"), "w", encoding="utf-8") as file:
            file.write(job)
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, folder], env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}, cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", start_new_session=True,
        )

        def send(lines: IO[str]) -> None:
            for line in lines:
                worker.log_event(topic, {**tell, **json.loads(line)})

        sender = threading.Thread(target=send, args=(process.stdout,), daemon=True)
        sender.start()
        try:
            why = waited(process, limit_s, lambda: not wanted(worker, task))
        finally:
            end(process)
        sender.join(ENDING_S)
        result = os.path.join(folder, "result.json")
        if os.path.exists(result):
            with open(result, encoding="utf-8") as file:
                return file.read()
        errors.seek(0)
        said = " ".join(errors.read()[-SAID_AT_MOST:].split())
        raise RuntimeError(f"worker {worker.address}: {why or f'its process ended with {process.returncode}: {said}'}")


def unpacked(wheel: bytes, digest: str, folder: str) -> str:
    """Return the folder in `folder` with this code, unpacked there by the first that needs it."""
    found = hashlib.sha256(wheel).hexdigest()
    if found != digest:
        raise RuntimeError(f"the kit's code arrived with the hash {found} instead of {digest}")
    place = os.path.join(folder, f"kit-{digest}")
    if not os.path.isdir(place):
        beside = f"{place}.{uuid.uuid4().hex}"
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            archive.extractall(beside)
        with contextlib.suppress(OSError):  # another thread was faster
            os.rename(beside, place)
    return place


def wanted(worker: Any, task: str) -> bool:
    """Whether the scheduler still wants the result of this task from this worker."""
    state = worker.state.tasks.get(task)
    return state is not None and state.state == "executing"


def waited(process: Any, limit_s: float, unwanted: Any) -> str:
    """Wait for the end of a process; return why it was not waited for, or nothing."""
    deadline = time.monotonic() + limit_s
    while process.poll() is None:
        if time.monotonic() > deadline:
            return f"the notebook's process did not end within {limit_s:.0f} s"
        if unwanted():
            return "nobody wants the result any more"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
    return ""


def end(process: Any) -> None:
    """End the process: it ends its kernel and its servers when its input ends; what does not is killed."""
    process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDING_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

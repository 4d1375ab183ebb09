"""Runs and event studies started from the page: one at a time, the others wait their turn."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from liqstrat.errors import LiqstratError

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Kind = Literal["run", "events"]
#: Jobs that are remembered, and that may wait.
_MOST_KEPT, _MOST_WAITING = 50, 20
_PATIENCE_SECONDS = 15.0


class BusyError(LiqstratError):
    """Too many jobs wait already."""


@dataclass
class Job:
    """What is done with a run file. tasks: how far each part is, in order. run, study: the name of the results folder.
    error: why there is none."""

    id: int
    kind: Kind
    name: str
    text: str
    created: datetime
    state: State = "waiting"
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    run: str | None = None
    study: str | None = None
    error: str | None = None

    def told(self) -> dict[str, Any]:
        """Plain data; that of a run file is not repeated."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "created": self.created,
            "state": self.state,
            "tasks": list(self.tasks.values()),
            "run": self.run,
            "study": self.study,
            "error": self.error,
        }


class Jobs:
    """What goes into a results folder, in processes of their own; ended with the server."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._jobs: dict[int, Job] = {}
        self._change = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def all(self) -> list[Job]:
        """The latest first."""
        with self._change:
            return list(reversed(self._jobs.values()))

    def start(self, name: str, text: str, kind: Kind = "run") -> Job:
        """Put a run file's text at the end of the queue; raises `BusyError` where that is full."""
        with self._change:
            waiting = [job for job in self._jobs.values() if job.state in ("waiting", "running")]
            if len(waiting) > _MOST_WAITING:
                raise BusyError(f"{len(waiting)} runs wait already, expected at most {_MOST_WAITING}; cancel some")
            job = Job(max(self._jobs, default=0) + 1, kind, name, text, datetime.now(UTC))
            self._jobs[job.id] = job
            for old in [one for one in self._jobs.values() if one.state not in ("waiting", "running")][:-_MOST_KEPT]:
                del self._jobs[old.id]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="liqstrat-jobs", daemon=True)
                self._thread.start()
            self._change.notify_all()
            return job

    def cancel(self, number: int) -> Job:
        """Take a job out of the queue, or end it where it runs; raises `LiqstratError` for an unknown one."""
        with self._change:
            if number not in self._jobs:
                raise LiqstratError(f"there is no job {number}")
            job = self._jobs[number]
            if job.state == "running" and self._process is not None:
                self._process.send_signal(signal.SIGINT)
                job.state = "cancelled"
            elif job.state == "waiting":
                job.state = "cancelled"
            return job

    def close(self) -> None:
        """End what runs."""
        with self._change:
            self._closed = True
            process = self._process
            self._change.notify_all()
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._next() is not None)
                job = self._next()
                if self._closed or job is None:
                    return
                job.state = "running"
            self._run(job)

    def _next(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == "waiting"), None)

    def _run(self, job: Job) -> None:
        with self._started(job) as process:
            assert process.stdout is not None
            for line in process.stdout:
                self._hear(job, line)
        with self._change:
            self._process = None
            if job.state == "running":
                made = job.run or job.study
                job.state = "done" if made else "failed"
                job.error = None if made else job.error or f"the run ended with code {process.returncode}"

    @contextmanager
    def _started(self, job: Job) -> Iterator[subprocess.Popen[str]]:
        with TemporaryDirectory(prefix="liqstrat-") as aside:
            path = Path(aside) / job.name
            path.write_text(job.text, encoding="utf-8")
            command = [sys.executable, "-m", "liqstrat.serve.worker", job.kind, str(path), str(self._results)]
            # A group of its own: Ctrl-C is for the server, which ends the run itself.
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
            ) as process:
                with self._change:
                    self._process = process
                    if job.state == "cancelled" or self._closed:
                        process.send_signal(signal.SIGINT)
                yield process

    def _hear(self, job: Job, line: str) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return
        with self._change:
            if "task" in told:
                job.tasks[str(told["task"])] = told
            job.run, job.study = told.get("run", job.run), told.get("study", job.study)
            job.error = told.get("error", job.error)

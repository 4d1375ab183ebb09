"""Trials given out to the workers of a Dask cluster, on this machine or on others."""

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any

from liqstrat.app import codes
from liqstrat.catalog.copies import catalog_print
from liqstrat.catalog.kept import code_hash
from liqstrat.errors import LiqstratError
from liqstrat.remarks import remark
from liqstrat.studies.kept import key_of, pickled, prepared_for
from liqstrat.studies.remote import Errand, run_errand
from liqstrat.studies.trial import Outcome, Task, run_of

_PATIENCE = "10s"


class ClusterWorkers:
    """The workers that the scheduler at `address` has, more or fewer as they come and go.

    A task whose worker is gone is given to another by the scheduler. What is prepared for a task is prepared here; a
    worker that does not find it in its catalog is sent it.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise LiqstratError("--scheduler needs Dask: install liqstrat[cluster]") from None
        self._library: Any = distributed
        self._address = address
        self._waits = False
        self._out: set[Any] = set()
        # What it says of connections that end is said below, in a sentence.
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client: Any = self._library.Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LiqstratError(
                f'--scheduler "{address}": no Dask scheduler answers there, expected its address, as '
                f"tcp://10.0.0.1:8786: {said}"
            ) from None

    @property
    def count(self) -> int:
        """How many workers there are now."""
        found = len(self._client.scheduler_info()["workers"])
        if not found and not self._waits:
            remark(f"{self._address} has no workers yet; waiting for some")
        self._waits = not found
        return found

    def submit(self, task: Task) -> "Future[Outcome]":
        """Give a task to a worker, as soon as one has nothing to do."""
        if task.out is not None:
            raise LiqstratError(
                'sweep.keep = "folders" takes workers of this machine; expected "figures" with --scheduler'
            )
        future: Future[Outcome] = Future()
        run = run_of(task)
        if isinstance(run, Outcome):
            future.set_result(run)
            return future
        prepared = prepared_for(run, task.data_hash, keep=task.keep)
        errand = Errand(
            task,
            key_of(run, task.data_hash),
            catalog_print(run.data.catalog, run.symbols, run.start, run.end),
            code_hash(),
            codes(run),
        )

        def done(found: Any) -> None:
            try:
                outcome = self._outcome(found, task)
                if outcome is None:
                    self._give(errand, done, pickled(prepared))
                else:
                    future.set_result(outcome)
            except Exception as error:
                future.set_exception(error)

        self._give(errand, done)
        return future

    def end(self) -> None:
        """Take back what was given out, and leave the cluster as it is."""
        with suppress(Exception):
            self._client.cancel(list(self._out), force=True)
        with suppress(Exception):
            self._client.close(timeout=_PATIENCE)

    def _give(self, errand: Errand, done: Callable[[Any], None], sent: bytes | None = None) -> None:
        given = self._client.submit(run_errand, errand, sent, pure=False)
        # What nobody holds is taken back.
        self._out.add(given)
        given.add_done_callback(done)

    def _outcome(self, given: Any, task: Task) -> Outcome | None:
        self._out.discard(given)
        try:
            found: Outcome | None = given.result(timeout=_PATIENCE)
        except self._library.KilledWorker:
            raise LiqstratError(
                f"workers were killed again and again over {dict(task.settings)}; was there too little memory?"
            ) from None
        except (CancelledError, OSError) as error:
            raise LiqstratError(
                f"{self._address}: the scheduler is gone ({type(error).__name__}); the same command goes on"
            ) from None
        return found

"""Work on several things at the same time, of which one thread hears."""

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from threading import Event

#: Each thing being worked on needs memory.
_AT_MOST = 8


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None = None


def side_by_side[Item, News](items: Iterable[Item], work: Callable[[Item], Generator[News]]) -> Generator[News]:
    """What `work` yields for each of the items: one item's in its order, those of several in between each other.

    As many items are worked on at once, each in a thread, as there are processors; items are taken in the calling
    thread as they are needed. The first error ends it. Close it to stop early: work then ends where it next yields.
    """
    at_once = min(os.process_cpu_count() or 1, _AT_MOST)
    news: SimpleQueue[News | _Ended] = SimpleQueue()
    stopped = Event()

    def run(item: Item) -> None:
        try:
            with closing(work(item)) as told:
                for one in told:
                    if stopped.is_set():
                        return
                    news.put(one)
            news.put(_Ended())
        except BaseException as error:
            news.put(_Ended(error))

    waiting, running = iter(items), 0
    with ThreadPoolExecutor(at_once, thread_name_prefix="side-by-side") as pool:
        try:
            while True:
                # One more than is worked on, so that nobody waits for the next.
                for item in islice(waiting, at_once + 1 - running):
                    pool.submit(run, item)
                    running += 1
                if not running:
                    return
                one = news.get()
                if not isinstance(one, _Ended):
                    yield one
                elif one.error is not None:
                    raise one.error
                else:
                    running -= 1
        finally:
            stopped.set()

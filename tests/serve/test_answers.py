"""Answers: each made once, few at a time, and nobody who waits for one keeps others from theirs."""

import asyncio
import threading
import time
from pathlib import Path

from liqstrat.errors import LiqstratError
from liqstrat.market.store import Store
from liqstrat.serve.answers import ARROW, AT_ONCE, JSON, Answer, Answers, Given
from liqstrat.serve.sources import Source


class Work:
    """Makes answers, and notes how many at once, by which threads and how often."""

    def __init__(self) -> None:
        self.now = self.most = self.made = 0
        self.threads: set[str] = set()
        self._lock = threading.Lock()

    def make(self, store: Store) -> Answer:
        with self._lock:
            self.now += 1
            self.made += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.current_thread().name)
        time.sleep(0.01)
        with self._lock:
            self.now -= 1
        return Answer({"symbols": store.symbols()})


def sources(database: Path, tmp_path: Path) -> list[Source]:
    """One file under three names, as three databases are."""
    found = []
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.duckdb").symlink_to(database)
        found.append(Source(name, tmp_path / f"{name}.duckdb"))
    return found


def test_few_are_made_at_once_however_many_wait(simulated_database: Path, tmp_path: Path) -> None:
    """Memory is of what is made at once, and allocators keep some for each thread: neither grows with who asks."""
    there, work, answers = sources(simulated_database, tmp_path), Work(), Answers()

    async def all_at_once() -> list[Given]:
        asked = [answers.ask(there[n % 3], ("question", n % 2), work.make) for n in range(40)]
        return await asyncio.gather(*asked)

    found = asyncio.run(all_at_once())
    answers.close()
    assert work.made == 6
    assert work.most <= AT_ONCE
    assert len(work.threads) <= AT_ONCE
    assert {tuple(one.answer.about["symbols"]) for one in found} == {("BTCUSDT",)}


def test_known_answers_do_not_wait_for_new_ones(simulated_database: Path, tmp_path: Path) -> None:
    one, work, answers = sources(simulated_database, tmp_path)[0], Work(), Answers()

    async def ask() -> int:
        await answers.ask(one, ("known",), work.make)
        new = [asyncio.ensure_future(answers.ask(one, ("new", n), work.make)) for n in range(8)]
        await asyncio.sleep(0)
        known = await answers.ask(one, ("known",), work.make)
        await answers.body(known.answer, JSON)
        waiting = sum(not task.done() for task in new)
        await asyncio.gather(*new)
        return waiting

    waiting = asyncio.run(ask())
    answers.close()
    assert waiting >= 6


def test_who_leaves_takes_nothing_from_those_who_wait(simulated_database: Path, tmp_path: Path) -> None:
    one, work, answers = sources(simulated_database, tmp_path)[0], Work(), Answers()

    async def ask() -> Given:
        first = asyncio.ensure_future(answers.ask(one, ("question",), work.make))
        second = asyncio.ensure_future(answers.ask(one, ("question",), work.make))
        await asyncio.sleep(0.005)
        first.cancel()
        return await second

    assert asyncio.run(ask()).answer.about == {"symbols": ["BTCUSDT"]}
    answers.close()
    assert work.made == 1


def test_who_waits_when_the_server_ends_hears_so(simulated_database: Path, tmp_path: Path) -> None:
    there, work, answers = sources(simulated_database, tmp_path), Work(), Answers()

    async def ask() -> list[Given | BaseException]:
        asked = [asyncio.ensure_future(answers.ask(there[n % 3], ("question", n), work.make)) for n in range(12)]
        while not work.made:
            await asyncio.sleep(0.001)
        answers.close()
        return await asyncio.gather(*asked, answers.ask(there[0], ("late",), work.make), return_exceptions=True)

    found = asyncio.run(ask())
    assert 1 <= work.made < 12
    assert sum(isinstance(one, Given) for one in found) == work.made
    told = {str(one) for one in found if not isinstance(one, Given)}
    assert told == {"the server is ending; ask again when it has been started anew"}


def test_that_there_is_no_answer_is_told_to_all_and_kept(simulated_database: Path, tmp_path: Path) -> None:
    one, answers = sources(simulated_database, tmp_path)[0], Answers()
    tried = []

    def refuse(_: Store) -> Answer:
        tried.append(1)
        raise LiqstratError("there is none")

    async def ask() -> list[Given | BaseException]:
        together = await asyncio.gather(*(answers.ask(one, ("x",), refuse) for _ in range(5)), return_exceptions=True)
        return [*together, *await asyncio.gather(answers.ask(one, ("x",), refuse), return_exceptions=True)]

    found = asyncio.run(ask())
    answers.close()
    assert [str(error) for error in found] == ["there is none"] * 6
    assert len(tried) == 1


def test_bodies_are_made_once_for_each_form() -> None:
    import pyarrow as pa

    answer, answers = Answer({"a": 1}, pa.table({"x": [1.0, 2.0]})), Answers()

    async def bodies() -> list[object]:
        return [await answers.body(answer, media) for media in (JSON, ARROW, JSON, ARROW)]

    assert answer.made(JSON) is None
    json, arrow, again, arrow_again = asyncio.run(bodies())
    answers.close()
    assert json is again
    assert arrow is arrow_again
    assert json is not arrow

"""Work in threads that ends with its first error, and when nobody listens any more."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest

from liqstrat.catalog.side_by_side import side_by_side


def test_all_is_heard_each_items_in_its_order() -> None:
    def work(item: int) -> Generator[tuple[int, int]]:
        for number in range(20):
            yield item, number

    heard = list(side_by_side(range(10), work))
    assert sorted(heard) == [(item, number) for item in range(10) for number in range(20)]
    for item in range(10):
        assert [number for of, number in heard if of == item] == list(range(20))


def test_the_first_error_ends_it_and_stops_the_others() -> None:
    left = threading.Event()

    def work(item: int) -> Generator[int]:
        if item == 1:
            raise ValueError("broken")
        try:
            while True:
                time.sleep(0.001)
                yield item
        finally:
            left.set()

    with pytest.raises(ValueError, match="broken"):
        list(side_by_side(range(100), work))
    assert left.wait(60)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("side-by-side")]


def test_what_is_left_early_is_given_up() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            begun.append(item)
            yield item

    def work(item: int) -> Generator[int]:
        yield item

    with closing(side_by_side(items(), work)) as news:
        next(news)
    assert len(begun) < 100

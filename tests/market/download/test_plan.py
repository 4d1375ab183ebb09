from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.errors import LiqstratError
from liqstrat.market.download.plan import KINDS, ArchiveFile, plan

UM = "data/futures/um"


def paths(*args: object, **more: object) -> list[str]:
    return [file.path for file in plan(*args, **more)]


def days_of(file: ArchiveFile) -> list[date]:
    return [file.first + timedelta(days=n) for n in range(file.days)]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("aggTrades", f"{UM}/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-03-01.zip"),
        ("metrics", f"{UM}/daily/metrics/BTCUSDT/BTCUSDT-metrics-2024-03-01.zip"),
        ("klines", f"{UM}/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2024-03-01.zip"),
        (
            "liquidationSnapshot",
            f"{UM}/daily/liquidationSnapshot/BTCUSDT/BTCUSDT-liquidationSnapshot-2024-03-01.zip",
        ),
        ("fundingRate", f"{UM}/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-03.zip"),
    ],
)
def test_one_day_lies_where_the_archive_has_it(kind: str, path: str) -> None:
    assert paths(["BTCUSDT"], date(2024, 3, 1), date(2024, 3, 2), [kind], "5m") == [path]


def test_whole_months_come_as_one_file_and_the_rest_by_day() -> None:
    assert paths(["BTCUSDT"], date(2024, 1, 30), date(2024, 3, 2), ["aggTrades", "klines"]) == [
        f"{UM}/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-30.zip",
        f"{UM}/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-31.zip",
        f"{UM}/monthly/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-02.zip",
        f"{UM}/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-03-01.zip",
        f"{UM}/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-30.zip",
        f"{UM}/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-31.zip",
        f"{UM}/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip",
        f"{UM}/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-03-01.zip",
    ]


def test_a_month_held_serves_its_days_and_a_month_begun_by_day_is_completed_by_day() -> None:
    month = f"{UM}/monthly/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-02.zip"
    day = f"{UM}/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-02-10.zip"
    february = (["BTCUSDT"], date(2024, 2, 1), date(2024, 3, 1), ["aggTrades"])
    assert paths(["BTCUSDT"], date(2024, 2, 3), date(2024, 2, 5), ["aggTrades"], held=lambda f: f.path == month) == [
        month
    ]
    assert len(paths(*february)) == 1
    assert len(paths(*february, held=lambda file: file.path == day)) == 29


first_days = st.dates(date(2020, 1, 1), date(2025, 1, 1))


@given(first_days, st.integers(1, 120), st.sampled_from(sorted(KINDS)), st.sets(first_days))
def test_every_day_is_taken_exactly_once(start: date, length: int, kind: str, held_days: set[date]) -> None:
    end = start + timedelta(days=length)
    files = plan(["BTCUSDT"], start, end, [kind], held=lambda f: f.days == 1 and f.first in held_days)
    taken = Counter(day for file in files for day in days_of(file))
    wanted = {start + timedelta(days=n) for n in range(length)}
    assert wanted <= set(taken)
    assert set(taken.values()) == {1}
    if kind != "fundingRate":
        assert set(taken) == wanted
    for file in files:
        assert not file.instead or [day.first for day in file.instead] == days_of(file)


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("btcusdt", 'did you mean "BTCUSDT"'),
        ("../BTCUSDT", "capital letters"),
        ("BTC/USDT", "capital"),
        ("", "capital"),
    ],
)
def test_a_symbol_that_cannot_be_is_refused(symbol: str, hint: str) -> None:
    with pytest.raises(LiqstratError, match=hint):
        plan([symbol], date(2024, 3, 1), date(2024, 3, 2))


def test_a_dated_contract_is_a_symbol() -> None:
    assert len(plan(["BTCUSDT_240628"], date(2024, 3, 1), date(2024, 3, 2), ["metrics"])) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": ["aggtrade"]}, 'kind "aggtrade".*did you mean "aggTrades"'),
        ({"interval": "7m"}, 'interval "7m": expected one of 1m'),
        ({"end": date(2024, 3, 1)}, "holds no day"),
        ({"start": date(1970, 1, 1)}, "starts at 1970-01-01, expected a day from 2019-09-01"),
        ({"symbols": []}, "at least one symbol"),
    ],
)
def test_what_cannot_be_asked_for_is_named(change: dict[str, object], message: str) -> None:
    asked = {"symbols": ["BTCUSDT"], "start": date(2024, 3, 1), "end": date(2024, 3, 2)}
    with pytest.raises(LiqstratError, match=message):
        plan(**{**asked, **change})


def test_a_moment_is_not_a_day() -> None:
    with pytest.raises(TypeError, match="expected a date"):
        plan(["BTCUSDT"], datetime(2024, 3, 1, 12), date(2024, 3, 2))

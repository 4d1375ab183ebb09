"""Whether open interest is labelled by the end or by the start of its five minutes: told by the file itself."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import METRICS_HEADER, ArchiveWriter, only

DAY = datetime(2026, 6, 24, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
STEP = timedelta(minutes=5)
ENDS, STARTS = timedelta(), STEP

Row = tuple[datetime, int]


def labelled(begin: datetime, first: int, last: int, by: timedelta) -> list[Row]:
    """Values of the steps `first` to `last` (from 1) of a day, each its own number, labelled by end or by start."""
    return [(begin + STEP * i - by, (begin - DAY).days * 1000 + i) for i in range(first, last + 1)]


def known(begin: datetime, first: int, last: int) -> list[Row]:
    return labelled(begin, first, last, ENDS)


def lines(rows: Sequence[Row], symbol: str = "BTCUSDT") -> list[str]:
    return [f"{at:%Y-%m-%d %H:%M:%S},{symbol},{contracts},,,,," for at, contracts in rows]


def found(database: Path) -> list[Row]:
    return found_of(database, ["BTCUSDT"])["BTCUSDT"]


def found_of(database: Path, symbols: Iterable[str]) -> dict[str, list[Row]]:
    with open_store(database) as store:
        tables = {symbol: store.open_interest(symbol).to_pylist() for symbol in symbols}
    return {name: [(row["time"], int(row["contracts"])) for row in rows] for name, rows in tables.items()}


TOLD = {
    "ends, a whole day": (known(DAY, 1, 288), ENDS),
    "ends, up to noon": (known(DAY, 1, 144), ENDS),
    "ends, from noon on": (known(DAY, 144, 288), ENDS),
    "ends, without the first": (known(DAY, 2, 288), ENDS),
    "starts, a whole day": (known(DAY, 1, 288), STARTS),
    "starts, up to noon": (known(DAY, 1, 144), STARTS),
    "starts, from noon on": (known(DAY, 144, 288), STARTS),
    "starts, without the last": (known(DAY, 1, 287), STARTS),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_file_tells_itself(write_archive: ArchiveWriter, database: Path, case: str) -> None:
    expected, by = TOLD[case]
    names = ("-2026-06-24.csv", "-2026-06-24.zip", ".csv")
    files = {}
    for name, order, header in product(names, (1, -1), ([], [METRICS_HEADER])):
        symbol = f"A{len(files):02}USDT"
        rows = lines([(at - by, contracts) for at, contracts in expected], symbol)[::order]
        files[symbol] = write_archive(f"{symbol}-metrics{name}", [*header, *rows])
    for file in ingest(list(files.values()), database).files:
        assert (file.state, file.reason) == ("loaded", ""), file
    assert found_of(database, files) == dict.fromkeys(files, expected)


@pytest.mark.parametrize(
    "rows",
    [known(DAY, 100, 200), known(DAY, 1, 287), [(DAY, 7), *known(DAY, 1, 288)]],
    ids=["from the middle of a day", "neither midnight", "both midnights"],
)
def test_what_cannot_be_told_is_taken_as_known_later(
    write_archive: ArchiveWriter, database: Path, rows: list[Row]
) -> None:
    file = only(ingest([write_archive("BTCUSDT-metrics-2026-06-24.csv", lines(rows))], database))
    assert "start or the end of five minutes cannot be told: taken as the start" in file.reason
    assert found(database) == [(at + STEP, contracts) for at, contracts in rows]


MIDDLE = (100, 200)


@pytest.mark.parametrize(
    ("days", "by", "expected"),
    [
        ((-1,), STARTS, STARTS),
        ((1,), ENDS, ENDS),
        ((7,), ENDS, ENDS),
        # The meaning may have changed in between.
        ((-1,), ENDS, None),
        ((1,), STARTS, None),
        # Too far away.
        ((8,), ENDS, None),
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".csv", ".zip"])
def test_the_files_of_other_days_tell_what_a_file_does_not(
    write_archive: ArchiveWriter, database: Path, days: tuple[int, ...], by: timedelta, expected: timedelta, suffix: str
) -> None:
    for day in days:
        other = DAY + timedelta(days=day)
        write_archive(
            f"BTCUSDT-metrics-{other:%Y-%m-%d}{suffix}", [METRICS_HEADER, *lines(labelled(other, 1, 288, by))]
        )
    # Of another symbol, and without a meaning of its own.
    write_archive("ETHUSDT-metrics-2026-06-25.csv", lines(known(NEXT, 1, 288), "ETHUSDT"))
    rows = labelled(DAY, *MIDDLE, STARTS if expected is None else expected)
    file = only(ingest([write_archive(f"BTCUSDT-metrics-2026-06-24{suffix}", lines(rows))], database))
    assert ("cannot be told" in file.reason) == (expected is None)
    assert ("BTCUSDT-metrics-2026-0" in file.reason) == (expected is not None)
    assert found(database) == known(DAY, *MIDDLE)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04 not whole"])
def test_a_broken_neighbour_tells_nothing(write_archive: ArchiveWriter, database: Path, content: bytes) -> None:
    path = write_archive("BTCUSDT-metrics-2026-06-24.csv", lines(labelled(DAY, *MIDDLE, STARTS)))
    for suffix in (".csv", ".zip"):
        path.with_name(f"BTCUSDT-metrics-2026-06-25{suffix}").write_bytes(content)
    assert "cannot be told" in only(ingest([path], database)).reason
    assert found(database) == known(DAY, *MIDDLE)


def test_the_two_midnights_between_files_are_two_moments(write_archive: ArchiveWriter, database: Path) -> None:
    before = write_archive("BTCUSDT-metrics-2026-06-24.csv", lines(labelled(DAY, 265, 288, ENDS)))
    after = write_archive("BTCUSDT-metrics-2026-06-25.csv", lines(labelled(NEXT, 1, 24, STARTS)))
    for files in ([before, after], [after, before]):
        ingest(files, database)
        assert found(database) == [*known(DAY, 265, 288), *known(NEXT, 1, 24)]
        database.unlink()


@pytest.mark.parametrize("same", [False, True], ids=["other values", "the same value"])
@pytest.mark.parametrize("order", [1, -1], ids=["rising", "falling"])
@pytest.mark.parametrize("name", ["BTCUSDT-metrics-2026-06.csv", "BTCUSDT-metrics-2026.zip"])
def test_the_two_midnights_inside_a_file_are_two_moments(
    write_archive: ArchiveWriter, database: Path, order: int, same: bool, name: str
) -> None:
    rows = [
        *labelled(DAY, 1, 288, ENDS),
        *labelled(NEXT, 1, 288, STARTS),
        *labelled(NEXT + timedelta(days=1), 1, 288, STARTS),
    ]
    expected = [*known(DAY, 1, 288), *known(NEXT, 1, 288), *known(NEXT + timedelta(days=1), 1, 288)]
    if same:
        rows[288] = (rows[288][0], rows[287][1])
        expected[288] = (expected[288][0], expected[287][1])
    file = only(ingest([write_archive(name, lines(rows)[::order])], database))
    assert file.state == "loaded"
    assert "ends of five minutes up to 2026-06-25 00:00" in file.reason
    assert found(database) == expected

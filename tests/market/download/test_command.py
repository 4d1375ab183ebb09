"""`liqstrat download` as a user types it: what it prints, and with which code it ends."""

from pathlib import Path
from typing import Any

from tests.shell import Shell

UM = "data/futures/um"
ASKED = ("--from", "2024-02-10", "--to", "2024-02-12", "--kinds", "aggTrades")


def day(number: int) -> str:
    return f"{UM}/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-02-{number:02}.zip"


def test_a_day_that_is_not_there_yet_is_told_and_not_fatal(liqstrat: Shell, archive: Any, tmp_path: Path) -> None:
    archive.put(day(10), b"ten")
    done = liqstrat("download", "BTCUSDT", *ASKED, "--base-url", archive.url)
    assert done.code == 0
    assert "2024-02-11" in done.out
    assert (tmp_path / "downloads" / day(10)).read_bytes() == b"ten"
    archive.put(day(11), b"eleven")
    assert liqstrat("download", "BTCUSDT", *ASKED, "--base-url", archive.url).code == 0
    assert len(archive.asked(day(10))) == 1


def test_a_file_that_is_not_what_its_checksum_says_ends_with_1(liqstrat: Shell, archive: Any) -> None:
    archive.put(day(10), b"ten")
    archive.put(day(11), b"eleven", checksum_of=b"something else")
    done = liqstrat("download", "BTCUSDT", *ASKED, "--base-url", archive.url)
    assert done.code == 1
    assert f"failed: {day(11)}: wrong checksum" in done.out

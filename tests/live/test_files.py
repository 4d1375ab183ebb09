"""Recordings are whole after a kill, and parted by days."""

import json
import os
from pathlib import Path

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.live.files import Recording, recording_alone

MIDNIGHT = 1_709_337_600_000


def entries(*times: int) -> list[dict[str, int]]:
    return [{"a": number, "T": time} for number, time in enumerate(times)]


def test_each_day_has_its_file_and_finished_ones_are_given_once(tmp_path: Path) -> None:
    recording = Recording(tmp_path, "BTCUSDT", "aggTrades", "T")
    recording.add(entries(MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 1))
    (before,) = recording.take_finished()
    assert recording.take_finished() == []
    assert before == tmp_path / "BTCUSDT/BTCUSDT-aggTrades-2024-03-01.jsonl"
    assert len(before.read_text().splitlines()) == 1
    after = recording.close()
    assert after is not None
    assert [json.loads(line)["a"] for line in after.read_text().splitlines()] == [1, 2]


def test_two_programs_do_not_record_the_same_market_into_one_folder(tmp_path: Path) -> None:
    with recording_alone(tmp_path, ["BTCUSDT", "ETHUSDT"]):
        with recording_alone(tmp_path, ["SOLUSDT"]), recording_alone(tmp_path / "other", ["ETHUSDT"]):
            pass
        told = rf"ETHUSDT: process {os.getpid()} records there already .*expected a folder of its own \(--to-folder\)"
        with pytest.raises(LiqstratError, match=told), recording_alone(tmp_path, ["SOLUSDT", "ETHUSDT"]):
            pass
    with recording_alone(tmp_path, ["ETHUSDT"]):
        pass


def test_half_a_line_that_a_killed_recorder_left_is_cut_off(tmp_path: Path) -> None:
    first = Recording(tmp_path, "BTCUSDT", "aggTrades", "T")
    first.add(entries(MIDNIGHT, MIDNIGHT + 1))
    path = first.close()
    assert path is not None
    with path.open("a") as file:
        file.write('{"a":2,"T":17093')
    again = Recording(tmp_path, "BTCUSDT", "aggTrades", "T")
    assert again.last() == {"a": 1, "T": MIDNIGHT + 1}
    again.add([{"a": 2, "T": MIDNIGHT + 2}])
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [0, 1, 2]


def test_a_file_of_half_a_line_has_no_last_entry(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT/BTCUSDT-aggTrades-2024-03-02.jsonl"
    path.parent.mkdir()
    path.write_text('{"a":2,"T"')
    recording = Recording(tmp_path, "BTCUSDT", "aggTrades", "T")
    assert recording.last() is None
    recording.add(entries(MIDNIGHT))
    assert path.read_text() == '{"a":0,"T":1709337600000}\n'

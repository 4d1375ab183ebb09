"""How long work says how far it is: a bar on a terminal, lines when piped."""

import io

import pytest
from rich.console import Console

from liqstrat import progress as module
from liqstrat.progress import SILENT, ConsoleProgress


def test_on_a_terminal_a_bar_is_drawn_and_a_line_stays() -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=100)
    with ConsoleProgress(console).task("read", total=4, unit="files") as step:
        for _ in range(4):
            step(1)
    assert "read" in drawn.getvalue()
    assert "━" in drawn.getvalue()
    assert "read: 4 files in " in drawn.getvalue().splitlines()[-1]


def test_piped_there_are_lines_every_ten_seconds_and_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    told = io.StringIO()
    with ConsoleProgress(Console(file=told, width=100)).task("read", total=40, unit="MB") as step:
        for _ in range(8):
            now[0] += 4.0
            step(5)
    assert told.getvalue().splitlines() == [
        "read: 15 of 40 MB in 12.0 s (1.2 MB/s, 20 s left)",
        "read: 30 of 40 MB in 24.0 s (1.2 MB/s, 8 s left)",
        "read: 40 MB in 32.0 s (1.2 MB/s)",
    ]


def test_what_was_done_before_counts_but_is_not_taken_for_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    told = io.StringIO()
    with ConsoleProgress(Console(file=told, width=100)).task("sweep", total=200, unit="trials", before=80) as step:
        now[0] = 15.0
        step(0)
        now[0] = 120.0
        step(20)
        now[0] = 10_000.0
        step(2)
    assert told.getvalue().splitlines() == [
        "sweep: 80 of 200 trials, 0 of them in 15.0 s (0.0 trials/min)",
        "sweep: 100 of 200 trials, 20 of them in 120.0 s (10 trials/min, 10 min left)",
        "sweep: 102 of 200 trials, 22 of them in 10000.0 s (0.1 trials/min, 12 h 22 min left)",
        "sweep: 102 trials, 22 of them in 10000.0 s (0.1 trials/min)",
    ]


def test_where_there_was_nothing_left_no_speed_is_said() -> None:
    told = io.StringIO()
    with ConsoleProgress(Console(file=told, width=100)).task("sweep", total=200, unit="trials", before=200) as step:
        step(0)
    assert told.getvalue() == "sweep: 200 trials, as before\n"


def test_by_default_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with SILENT.task("read", total=2) as step:
        step(2)
    assert capsys.readouterr() == ("", "")

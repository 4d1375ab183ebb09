"""Typing commands in a test."""

import sys
from dataclasses import dataclass

import pytest

from liqstrat.cli import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


class Shell:
    """Types commands in a folder of its own; the program runs in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> Done:
        self._monkeypatch.setattr(sys, "argv", ["liqstrat", *arguments])
        self._capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        printed = self._capsys.readouterr()
        return Done(code, printed.out, printed.err)

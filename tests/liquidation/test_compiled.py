"""Loops run where nothing that was compiled can be kept."""

from typing import Any

import pytest

from liqstrat import remarks
from liqstrat.liquidation import compiled as module
from liqstrat.liquidation.compiled import compiled


def test_where_code_cannot_be_kept_it_is_compiled_anew_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(remarks, "_listeners", [said.append])
    monkeypatch.setattr(module, "_told", False)
    there: dict[str, Any] = {}
    # Code of no file has no place beside it, as that of an installation that is read-only with no home.
    exec("def twice(x):\n    return 2 * x\ndef thrice(x):\n    return 3 * x", there)
    assert [compiled(there[name])(7) for name in ("twice", "thrice")] == [14, 21]
    assert len(said) == 1
    assert said[0].startswith("compiled code cannot be kept")

"""How a run file names a strategy."""

from pathlib import Path

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.strategies import resolve_strategy
from liqstrat.strategies.level_fade import LevelFade

OWN = """
from liqstrat.backtest.strategy import LevelStrategy

class MyFade(LevelStrategy):
    def on_price(self, price):
        pass
"""


def test_short_names_are_the_package_s(tmp_path: Path) -> None:
    assert resolve_strategy("LevelFade") is LevelFade


def test_a_short_name_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(LiqstratError, match=r'no strategy "LevelFaed" \(did you mean "LevelFade"\?\); expected one of'):
        resolve_strategy("LevelFaed")


def test_one_s_own_strategy_is_found_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_here.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert resolve_strategy("own_here:MyFade").__name__ == "MyFade"
    with pytest.raises(LiqstratError, match=r'no such strategy in own_here \(did you mean "MyFade"\?\); it has MyFade'):
        resolve_strategy("own_here:MyFaed")
    with pytest.raises(LiqstratError, match='no module "own_there"'):
        resolve_strategy("own_there:MyFade")


def test_a_module_without_strategies_is_said_to_have_none() -> None:
    with pytest.raises(LiqstratError, match="it has no subclass of LevelStrategy"):
        resolve_strategy("json:Anything")


def test_an_error_inside_one_s_own_module_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_broken.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        resolve_strategy("own_broken:MyFade")

"""Strategies of the package, and how a run file names them."""

import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.strategies.avoid_zones import around
from liqstrat.strategies.cascade import Cascade
from liqstrat.strategies.level_fade import LevelFade
from liqstrat.strategies.level_magnet import LevelMagnet
from liqstrat.strategies.limit_at_level import LimitAtLevel
from liqstrat.strategies.random_entry import RandomEntry

STRATEGIES: dict[str, type[LevelStrategy]] = {
    strategy.__name__: strategy for strategy in (Cascade, LevelFade, LevelMagnet, LimitAtLevel, RandomEntry)
}
#: The filter that is put before a strategy: "AvoidZones(LevelFade)".
FILTER = "AvoidZones"


def resolve_strategy(use: str) -> type[LevelStrategy]:
    """The strategy class for a short name of the package, or for "module:Class" of one's own, or for either with the
    filter before it, as "AvoidZones(LevelFade)".

    Modules are looked for in the current folder too. Raises `LiqstratError` with the nearest right name.
    """
    if filtered := re.fullmatch(rf"{FILTER}\((.*)\)", use):
        if filtered[1].startswith(FILTER):
            raise LiqstratError(f'strategy "{use}": the filter is put before a strategy, once')
        return around(resolve_strategy(filtered[1]))
    module_name, colon, class_name = use.partition(":")
    if not colon:
        if use in STRATEGIES:
            return STRATEGIES[use]
        if use == FILTER:
            raise LiqstratError(
                f'strategy "{use}" is put before another one, expected for example "{FILTER}(LevelFade)"'
            )
        raise LiqstratError(
            f'there is no strategy "{use}"{did_you_mean(use, STRATEGIES)}; expected one of {", ".join(STRATEGIES)}, '
            f'or "module:Class" for your own; "{FILTER}(…)" around either'
        )
    module = _import(use, module_name)
    own = {
        name: member
        for name, member in vars(module).items()
        if inspect.isclass(member) and issubclass(member, LevelStrategy) and member is not LevelStrategy
    }
    if class_name not in own:
        found = f"it has {', '.join(own)}" if own else "it has no subclass of LevelStrategy"
        raise LiqstratError(
            f'strategy "{use}": no such strategy in {module_name}{did_you_mean(class_name, own)}; {found}'
        )
    return own[class_name]


def _import(use: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that is there but imports a missing one is a bug in it, told by its traceback.
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise LiqstratError(f'strategy "{use}": no module "{name}" in {here} or among the installed packages') from None
    finally:
        sys.path.remove(here)

"""Which files are to be loaded: those named, and those found in folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from liqstrat.market.ledger import JSON_SUFFIXES

#: The simulator leaves this in its folder.
SIMULATED_MARK = "SIMULATED.json"

_DATA = {".zip", ".csv"}
_TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be loaded. `simulated`: it lies in a folder that the simulator wrote."""

    path: Path
    simulated: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is left alone, and why."""

    path: Path
    reason: str


def find_files(paths: Sequence[Path]) -> tuple[list[Found], list[Skipped]]:
    """Files below `paths` in order of name, each once, and what is skipped.

    A file that is named itself is found whatever it is: whoever names it wants to know what is wrong with it.
    """
    found: dict[Path, Found] = {}
    skipped: list[Skipped] = []
    for path in paths:
        for entry in _look(path, _is_marked(path.parent) and not path.is_dir(), named=True):
            if isinstance(entry, Skipped):
                skipped.append(entry)
            else:
                found.setdefault(entry.path.resolve(), entry)
    return list(found.values()), skipped


def _look(path: Path, simulated: bool, named: bool = False) -> Iterator[Found | Skipped]:
    if path.is_dir():
        if path.name == _TRUTH:
            yield Skipped(path, "what the simulator knows and a market does not tell")
        elif named or not path.name.startswith((".", "__")):
            simulated = simulated or _is_marked(path)
            for inner in sorted(path.iterdir()):
                yield from _look(inner, simulated)
    elif path.suffix.upper() == ".CHECKSUM" or path.name == SIMULATED_MARK:
        return
    elif named or (path.suffix.lower() in {*_DATA, *JSON_SUFFIXES} and not path.name.startswith(".")):
        yield Found(path, simulated)
    else:
        yield Skipped(path, "is neither a file of the archive (.zip, .csv) nor JSON")


def _is_marked(folder: Path) -> bool:
    return (folder / SIMULATED_MARK).is_file()

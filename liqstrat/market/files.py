"""Which files are to be loaded: those named, and those found in folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from liqstrat.market.ledger import JSON_SUFFIXES

#: The simulator leaves this in its folder.
SIMULATED_MARK = "SIMULATED.json"

_DATA = {".zip", ".csv", ".gz"}
_TRUTH = "truth"
#: Recorded, but not loaded: what is known between the marks, which live sessions need.
_KEPT = {
    "-markPrice-": "prices of reference, kept for live use",
    "-openInterest-": "open interest as it was asked for; openInterestHist has that of the marks",
}


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

    A file that is named itself is found whatever it is: whoever names it wants to know what is wrong with it. A folder
    is looked into once, whatever links lead to it.
    """
    found: dict[Path, Found] = {}
    skipped: list[Skipped] = []
    seen: set[Path] = set()
    for path in paths:
        for entry in _look(path, seen):
            if isinstance(entry, Skipped):
                skipped.append(entry)
            else:
                found.setdefault(_real(entry.path), entry)
    return list(found.values()), skipped


def _look(top: Path, seen: set[Path]) -> Iterator[Found | Skipped]:
    """Not by recursion: folders can lie deeper in each other than a program may call itself."""
    waiting = [(top, _is_marked(top.parent) and not top.is_dir())]
    while waiting:
        path, simulated = waiting.pop()
        named = path is top
        if not path.is_dir():
            yield from _judge(path, simulated, named)
        elif path.name == _TRUTH:
            yield Skipped(path, "what the simulator knows and a market does not tell")
        elif (named or not path.name.startswith((".", "__"))) and (real := _real(path)) not in seen:
            seen.add(real)
            try:
                inner = sorted(path.iterdir(), reverse=True)
            except OSError:
                yield Found(path, simulated)  # to be refused by name
                continue
            simulated = simulated or _is_marked(path)
            waiting += [(one, simulated) for one in inner]


def _judge(path: Path, simulated: bool, named: bool) -> Iterator[Found | Skipped]:
    if path.suffix.upper() == ".CHECKSUM" or path.name == SIMULATED_MARK:
        return
    if not named and (path.suffix.lower() not in {*_DATA, *JSON_SUFFIXES} or path.name.startswith(".")):
        yield Skipped(path, "is neither a file of the archive (.zip, .csv, .csv.gz) nor JSON")
    elif not named and path.suffix == ".jsonl" and (why := _kept(path.name)):
        yield Skipped(path, why)
    else:
        yield Found(path, simulated)


def _kept(name: str) -> str:
    return next((why for part, why in _KEPT.items() if part in name), "")


def _real(path: Path) -> Path:
    """Where links lead to; the path itself where they lead nowhere."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _is_marked(folder: Path) -> bool:
    return (folder / SIMULATED_MARK).is_file()

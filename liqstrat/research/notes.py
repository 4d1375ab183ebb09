"""Tags and notes of runs. They lie beside the results, in `.notes/<run>.json`, so that results stay as they were."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.held import alone, partial_file, written

_FOLDER = ".notes"
_MOST_LETTERS = 10_000


@dataclass(frozen=True)
class Notes:
    """What somebody wrote of a run: tags, each once and sorted, and a note."""

    tags: list[str] = field(default_factory=list)
    note: str = ""


def read_notes(folder: Path) -> dict[str, Notes]:
    """The notes on the runs of a results folder, by run; raises `LiqstratError` for a file that is none."""
    return {path.stem: _read(path) for path in (folder / _FOLDER).glob("*.json")}


def tag(folder: Path, runs: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
    """Add tags to runs and take others off."""
    for word in [*add, *remove]:
        if not word.strip() or not word.isprintable() or "," in word:
            raise LiqstratError(f"{word!r} is not a tag, expected a word without commas")
    with _alone(folder):
        for run in runs:
            notes = _read(_path(folder, run))
            _write(folder, run, replace(notes, tags=sorted({*notes.tags, *add} - set(remove))))


def annotate(folder: Path, runs: Iterable[str], text: str) -> None:
    """Write a note on runs over what stood there; an empty one takes it away."""
    if len(text) > _MOST_LETTERS:
        raise LiqstratError(f"the note has {len(text):,} letters, expected at most {_MOST_LETTERS:,}")
    with _alone(folder):
        for run in runs:
            _write(folder, run, replace(_read(_path(folder, run)), note=text))


def _path(folder: Path, run: str) -> Path:
    return folder / _FOLDER / f"{run}.json"


def _read(path: Path) -> Notes:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Notes([str(word) for word in content["tags"]], str(content["note"]))
    except FileNotFoundError:
        return Notes()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LiqstratError(f"{path}: cannot be read as tags and a note: {error!r}") from None


def _write(folder: Path, run: str, notes: Notes) -> None:
    path = _path(folder, run)
    if notes == Notes():
        path.unlink(missing_ok=True)
        return
    content: dict[str, Any] = {"tags": notes.tags, "note": notes.note}
    with partial_file(path) as partial:
        partial.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two who write at once take turns, so that neither loses what the other wrote."""
    path = folder / _FOLDER / ".lock"
    with written(path), alone(path, lambda _: None):
        yield

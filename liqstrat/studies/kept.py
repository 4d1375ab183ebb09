"""What runs need of the history, prepared once for all trials that ask the same, in memory and in a file.

The files lie in the catalog's folder, named by a hash of all that they come from. That folder is all that a trial
needs: whoever has it can run one without the database.
"""

import hashlib
import io
import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nautilus_trader.model import CryptoPerpetual, InstrumentId

from liqstrat.app import Prepared, prepare, with_run
from liqstrat.catalog.kept import code_hash
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.held import alone, partial_file, tidy

_FOLDER, _ENDING = "prepared", ".prepared"
_DIGEST = hashlib.sha256().digest_size
_MOST_IN_MEMORY = 2
#: Files that are kept at most, and their bytes; those that nobody has asked for the longest go first.
_MOST, _MOST_BYTES = 200, 4_000_000_000
#: By the files that have them, or could: another catalog may not have what the run is replayed from.
_in_memory: dict[Path, Prepared] = {}


def prepared_for(run: RunFile, data_hash: str, *, keep: bool) -> Prepared:
    """What `run` needs, from memory, from its file, or else from the database, and then it is in both.

    Of several processes that ask for the same, one prepares it. keep: whether in a file, too.
    """
    place = place_of(run, key_of(run, data_hash))
    found = known(place)
    if found is None:
        # What nobody else asks for is not worth the room of its levels.
        found = _made(run, place) if keep else prepare(run, keep_levels=False)
        remember(place, found)
    return with_run(found, run)


def known(place: Path) -> Prepared | None:
    """What is prepared, in memory or in its file; None where it is in neither."""
    if place not in _in_memory and (found := _read(place)) is not None:
        remember(place, found)
    return _in_memory.get(place)


def remember(place: Path, prepared: Prepared) -> None:
    """Keep it in memory, in place of what was asked for before."""
    while len(_in_memory) >= _MOST_IN_MEMORY:
        del _in_memory[next(iter(_in_memory))]
    _in_memory[place] = prepared


def key_of(run: RunFile, data_hash: str) -> str:
    """A hash of all that `prepare` looks at, and of the code that does; wherever the catalog is."""
    config = run.model_dump(mode="json", by_alias=True)
    asked = {key: config[key] for key in ("symbols", "from", "to", "resolution", "model")}
    asked["data"] = {key: value for key, value in config["data"].items() if key != "catalog"}
    told = json.dumps([code_hash(), data_hash, asked, run.venue.funding, run.control, run.band], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def place_of(run: RunFile, key: str) -> Path:
    """The file of the run's catalog that has it, if one has."""
    return run.data.catalog.resolve() / _FOLDER / f"{key}{_ENDING}"


def pickled(prepared: Prepared) -> bytes:
    """As it is in its file: a hash, and what that is of."""
    sink = io.BytesIO()
    _Pickler(sink, protocol=pickle.HIGHEST_PROTOCOL).dump(prepared)
    content = sink.getvalue()
    return hashlib.sha256(content).digest() + content


def unpickled(content: bytes) -> Prepared | None:
    """What was prepared; None where it is not whole, as of a copy that was broken off."""
    told, content = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(content).digest() != told:
        return None
    found: Prepared = pickle.loads(content)
    return found


def write(path: Path, content: bytes) -> None:
    """Put it into its file; where that cannot be written, it is not kept."""
    with suppress(LiqstratError):
        with partial_file(path) as partial:
            partial.write_bytes(content)
        for gone in tidy(path.parent, f"*{_ENDING}", _MOST, _MOST_BYTES):
            gone.with_suffix(".lock").unlink(missing_ok=True)


def _made(run: RunFile, path: Path) -> Prepared:
    try:
        with alone(path.with_suffix(".lock"), lambda _: None):
            # Another may have prepared it meanwhile.
            found = _read(path)
            if found is None:
                found = prepare(run)
                write(path, pickled(found))
            return found
    except OSError:
        # A catalog that is only to be read.
        return prepare(run)


def _read(path: Path) -> Prepared | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):
        path.touch()
    return unpickled(content)


class _Pickler(pickle.Pickler):
    """Takes the engine's objects, too, which do not tell how they are made again."""

    def reducer_override(self, value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]] | Any:
        if isinstance(value, CryptoPerpetual):
            return CryptoPerpetual.from_dict, (value.to_dict(),)
        if isinstance(value, InstrumentId):
            return InstrumentId.from_str, (str(value),)
        return NotImplemented

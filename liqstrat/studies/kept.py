"""What runs need of the history, prepared once for all trials that ask the same, in memory and in a file.

A file of it and the catalog's folder are all that a trial needs: whoever has both can run one without the database.
"""

import hashlib
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nautilus_trader.model import CryptoPerpetual, InstrumentId

from liqstrat.app import Prepared, prepare, with_run
from liqstrat.config import RunFile
from liqstrat.held import alone, partial_file

_MOST_IN_MEMORY = 2
_in_memory: dict[str, Prepared] = {}


def prepared_for(run: RunFile, data_hash: str, folder: Path | None) -> Prepared:
    """What `run` needs, from memory, from its file in `folder`, or else from the database, and then it is in both.

    Of several processes that ask for the same, one prepares it. Without a folder it is kept in memory only.
    """
    key = _key(run, data_hash)
    if key not in _in_memory:
        while len(_in_memory) >= _MOST_IN_MEMORY:
            del _in_memory[next(iter(_in_memory))]
        # What nobody else asks for is not worth its room.
        made = prepare(run, keep_levels=False) if folder is None else _from_file(run, folder / f"{key}.prepared")
        _in_memory[key] = made
    return with_run(_in_memory[key], run)


def _from_file(run: RunFile, path: Path) -> Prepared:
    with alone(path.with_suffix(".lock"), lambda _: None):
        if path.exists():
            found: Prepared = pickle.loads(path.read_bytes())
            return found
        made = prepare(run)
        with partial_file(path) as partial:
            partial.write_bytes(_pickled(made))
        return made


def _key(run: RunFile, data_hash: str) -> str:
    """A hash of all that `prepare` looks at."""
    config = run.model_dump(mode="json", by_alias=True)
    asked = {key: config[key] for key in ("symbols", "from", "to", "resolution", "data", "model")}
    told = json.dumps([data_hash, asked, run.venue.funding, run.control], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _pickled(prepared: Prepared) -> bytes:
    sink = io.BytesIO()
    _Pickler(sink, protocol=pickle.HIGHEST_PROTOCOL).dump(prepared)
    return sink.getvalue()


class _Pickler(pickle.Pickler):
    """Takes the engine's objects, too, which do not tell how they are made again."""

    def reducer_override(self, value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]] | Any:
        if isinstance(value, CryptoPerpetual):
            return CryptoPerpetual.from_dict, (value.to_dict(),)
        if isinstance(value, InstrumentId):
            return InstrumentId.from_str, (str(value),)
        return NotImplemented

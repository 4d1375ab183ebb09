"""What is dear to find out about a history file, kept beside the catalog until somebody asks again.

An answer lies in a file that is named by a hash of all that it comes from: the state of the database, the question, the
code of this package and the libraries that reckon. What has changed has another name, so that nothing stale is found,
and processes that ask the same at once write the same. Whatever cannot be read is made anew, and what cannot be written
is not kept.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file, require_writable, tidy
from liqstrat.market.file_state import file_state
from liqstrat.market.store import Store

#: Arrays, and what JSON can hold, by name.
Answer = dict[str, Any]

#: Answers that are kept at most, and their bytes; those that nobody has asked for the longest go first.
_MOST, _MOST_BYTES = 200, 2_000_000_000
#: The same of answers that are files of their own: of levels, a year of five minutes has 250 MB.
_MOST_FILES, _MOST_FILES_BYTES = 40, 4_000_000_000
_PLAIN, _REMARKS, _FILE = "plain", "remarks", ".arrow"
_LIBRARIES = ("nautilus_trader", "duckdb", "numpy", "numba", "pyarrow")


def kept_folder(catalog: Path) -> Path:
    """Where answers lie beside a catalog."""
    return catalog / "kept"


class Kept:
    """The answers about one open store in one folder. Where the state of the file cannot be told, none is kept.

    code: stands for the code that answers come from.
    """

    def __init__(self, folder: Path, store: Store, code: str | None = None) -> None:
        self._folder, self._store = folder, store
        self._state = file_state(store)
        self._code = code or code_hash()

    def ask(self, question: str, about: Mapping[str, Any], make: Callable[[], Answer]) -> Answer:
        """The answer to `question`, a word, `about` what it depends on besides the history: as kept, or by `make`.

        What `make` lets the store remark is remarked either way.
        """
        if self._state is None:
            return make()
        path = self._folder / f"{question}-{self._hash(question, about)}.npz"
        answer = _read(path)
        if answer is None:
            with self._store.listening() as remarks:
                answer = {**make(), _REMARKS: remarks}
            # What was replaced while it was being read has said who knows what.
            if file_state(self._store) == self._state:
                _write(path, answer)
                tidy(self._folder, "*.npz", _MOST, _MOST_BYTES)
        else:
            for text in answer[_REMARKS]:
                self._store.say(text)
        return {name: value for name, value in answer.items() if name != _REMARKS}

    def file(
        self, question: str, about: Mapping[str, Any], is_whole: Callable[[Path], bool], make: Callable[[Path], None]
    ) -> Path | None:
        """As `ask`, of an answer that is a file: as kept, if it `is_whole`, or as `make` writes it to a path.

        None where none can be kept.
        """
        if self._state is None:
            return None
        path = self._folder / f"{question}-{self._hash(question, about)}{_FILE}"
        if is_whole(path):
            with suppress(OSError):
                os.utime(path)
            return path
        with suppress(LiqstratError, _ReplacedError):
            require_writable(path)
            with partial_file(path) as partial:
                make(partial)
                if file_state(self._store) != self._state:
                    raise _ReplacedError
            tidy(self._folder, f"*{_FILE}", _MOST_FILES, _MOST_FILES_BYTES)
            return path
        return None

    def _hash(self, question: str, about: Mapping[str, Any]) -> str:
        told = {"question": question, "about": about, "database": self._state, "code": self._code}
        # As it is written: errors name it.
        told["path"] = str(self._store.path)
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]


class _ReplacedError(Exception):
    """What was replaced while it was being read has said who knows what."""


@cache
def code_hash(package: Path = Path(__file__).parents[1]) -> str:
    """A hash of everything in the package, and of the versions of the libraries that its numbers come from."""
    told = hashlib.sha256(json.dumps([version(name) for name in _LIBRARIES]).encode())
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            told.update(f"{path.relative_to(package)} {len(content)}\n".encode())
            told.update(content)
    return told.hexdigest()


def _read(path: Path) -> Answer | None:
    """What is kept; None where nothing is, or nothing that can be understood."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        plain = json.loads(arrays.pop(_PLAIN).tobytes())
        answer = {**arrays, **plain}
        answer[_REMARKS]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    with suppress(OSError):
        os.utime(path)
    return answer


def _write(path: Path, answer: Answer) -> None:
    arrays = {name: value for name, value in answer.items() if isinstance(value, np.ndarray)}
    plain = json.dumps({name: value for name, value in answer.items() if name not in arrays}).encode()
    with suppress(LiqstratError), partial_file(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **{_PLAIN: np.frombuffer(plain, np.uint8)})

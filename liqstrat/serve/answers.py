"""Answers: rows and what is to be known about them, as JSON or Arrow, kept while the data they are of stay as they are.

An answer is kept with the state of its database's file. While another process writes to that, the answer from before is
given, marked as such, rather than none.
"""

import asyncio
import gzip
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from liqstrat.errors import InUseError, LiqstratError
from liqstrat.market.store import Store
from liqstrat.serve.sources import Source, State

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
PARQUET, CSV = "application/vnd.apache.parquet", "text/csv"
#: What rows are given as; JSON is what else there is.
OF_ROWS = (ARROW, PARQUET, CSV)
#: Bytes of answers that are kept in memory, all together.
MOST_KEPT = 96 * 1024 * 1024
_MOST_ANSWERS = 2000
#: Answers that are made at the same time.
AT_ONCE = 2
_GZIP_FROM, _GZIP_LEVEL = 1000, 5


class EndingError(InUseError):
    """No new answer is made any more."""

    def __init__(self) -> None:
        super().__init__("the server is ending; ask again when it has been started anew")


@dataclass(frozen=True, eq=False)
class Answer:
    """about: plain data. rows: a table, in JSON a list of objects called `name`. shown: where it is given, what stands
    in JSON in place of the rows."""

    about: dict[str, Any]
    rows: pa.Table | None = None
    name: str = "rows"
    shown: dict[str, Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def made(self, media: str) -> "Body | None":
        """The bytes of a media type, where they are made already."""
        kept = "_json" if self.rows is None or media not in OF_ROWS else "_arrow" if media == ARROW else ""
        found: Body | None = self.__dict__.get(kept)
        return found

    def body(self, media: str) -> "Body":
        """The bytes of a media type, made once."""
        with self._lock:
            if self.rows is None or media not in OF_ROWS:
                return self._json
            # Files are fetched once in a while; the others are kept.
            return self._arrow if media == ARROW else Body.of(self._file(media), media)

    @cached_property
    def _json(self) -> "Body":
        content = dict(self.about)
        if self.shown is not None:
            content |= self.shown
        elif self.rows is not None:
            content[self.name] = _records(self.rows)
        return Body.of(json.dumps(content, default=_plain, separators=(",", ":"), allow_nan=False).encode(), JSON)

    @cached_property
    def _arrow(self) -> "Body":
        table = self._told()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return Body.of(sink.getvalue().to_pybytes(), ARROW)

    def _file(self, media: str) -> bytes:
        sink = pa.BufferOutputStream()
        if media == PARQUET:
            pq.write_table(self._told(), sink, compression="zstd")
        else:
            csv.write_csv(self._told(), sink)
        return bytes(sink.getvalue().to_pybytes())

    def _told(self) -> pa.Table:
        """The rows with what is to be known about them."""
        assert self.rows is not None
        return self.rows.replace_schema_metadata({b"about": json.dumps(self.about, default=_plain).encode()})

    @property
    def size(self) -> int:
        """Bytes that it holds, about."""
        rows = self.rows.nbytes if self.rows is not None else 0
        made = [self.__dict__[name] for name in ("_json", "_arrow") if name in self.__dict__]
        return 2000 + rows + sum(len(one.kept) for one in made)


@dataclass(frozen=True)
class Body:
    """Bytes with their hash, kept zipped where that pays: who asks for them plain is rare."""

    kept: bytes
    is_zipped: bool
    media: str
    tag: str

    @classmethod
    def of(cls, content: bytes, media: str) -> "Body":
        is_zipped = len(content) >= _GZIP_FROM
        kept = gzip.compress(content, _GZIP_LEVEL, mtime=0) if is_zipped else content
        return cls(kept, is_zipped, media, hashlib.sha256(content).hexdigest()[:32])

    @property
    def plain(self) -> bytes:
        """The content as it is."""
        return gzip.decompress(self.kept) if self.is_zipped else self.kept


@dataclass(frozen=True)
class Given:
    """An answer, and why it is not of the data as they are now, where it is not."""

    answer: Answer
    stale: str | None = None


class Answers:
    """Answers by question; each is made once, however many ask at once, and few of them at a time: who asks for another
    waits, and costs no thread meanwhile."""

    def __init__(self, most: int = MOST_KEPT, at_once: int = AT_ONCE) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[State, Answer | LiqstratError]] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False
        self._being_made: dict[Hashable, Future[Given]] = {}
        # Threads of their own: allocators keep memory for each thread that ever asked for much.
        self._makers = ThreadPoolExecutor(at_once, "liqstrat-answers")
        self._writers = ThreadPoolExecutor(at_once, "liqstrat-bodies")

    async def ask(self, source: Source, question: tuple[Hashable, ...], make: Callable[[Store], Answer]) -> Given:
        """The answer to a question about a database; `make` is called where none of its present state is kept.

        That there is no answer is kept, too: what `make` raised is raised again.
        """
        key = (source.name, *question)
        if (known := self._known(key)) and known[0] == source.state():
            return _given(known[1])
        with self._lock:
            coming = self._being_made.get(key)
            if coming is None:
                coming = self._being_made[key] = self._begun(self._makers, self._made, key, source, make)
        # Others wait for it, too, when this one has gone.
        return await self._end(coming)

    async def body(self, answer: Answer, media: str) -> "Body":
        """The bytes of an answer in a media type, made away from the loop where they are not there yet."""
        if (made := answer.made(media)) is not None:
            return made
        return await self._end(self._begun(self._writers, answer.body, media))

    def close(self) -> None:
        """Begin nothing more; who waits for what has not begun hears so."""
        self._closed = True
        for one in (self._makers, self._writers):
            one.shutdown(wait=False, cancel_futures=True)

    def _begun[T, **P](
        self, workers: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **named: P.kwargs
    ) -> Future[T]:
        if self._closed:
            raise EndingError
        return workers.submit(work, *args, **named)

    async def _end[T](self, coming: Future[T]) -> T:
        try:
            return await asyncio.shield(asyncio.wrap_future(coming))
        except asyncio.CancelledError:
            if coming.cancelled():
                raise EndingError from None
            raise

    def _made(self, key: Hashable, source: Source, make: Callable[[Store], Answer]) -> Given:
        try:
            state, known = source.state(), self._known(key)
            if known and known[0] == state:
                return _given(known[1])
            try:
                with source.open() as store:
                    found: Answer | LiqstratError = make(store)
            except InUseError as error:
                if known is None or isinstance(known[1], LiqstratError):
                    raise
                return Given(known[1], str(error))
            except LiqstratError as error:
                found = error.with_traceback(None)
            self._keep(key, state, found)
            return _given(found)
        finally:
            with self._lock:
                del self._being_made[key]

    def known(self, source: Source, question: tuple[Hashable, ...]) -> Answer | None:
        """The answer that is kept of a database's present state."""
        found = self._known((source.name, *question))
        return found[1] if found and found[0] == source.state() and isinstance(found[1], Answer) else None

    def keep(self, source: Source, question: tuple[Hashable, ...], answer: Answer) -> None:
        """Keep an answer that was made otherwise."""
        self._keep((source.name, *question), source.state(), answer)

    def _known(self, key: Hashable) -> tuple[State, Answer | LiqstratError] | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _keep(self, key: Hashable, state: State, found: Answer | LiqstratError) -> None:
        with self._lock:
            self._kept[key] = (state, found)
            self._kept.move_to_end(key)
            held = sum(_size(one) for _, one in self._kept.values())
            while (held > self._most or len(self._kept) > _MOST_ANSWERS) and len(self._kept) > 1:
                _, (_, gone) = self._kept.popitem(last=False)
                held -= _size(gone)


def _given(found: Answer | LiqstratError) -> Given:
    if isinstance(found, LiqstratError):
        raise type(found)(*found.args)
    return Given(found)


def _size(found: Answer | LiqstratError) -> int:
    return found.size if isinstance(found, Answer) else 1000


def time_text(moment: datetime) -> str:
    """`2024-03-01T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value)} is no plain data")


def _records(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as objects; numbers that JSON has no words for are null."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, None)
        columns[name] = column
    return list(pa.table(columns).to_pylist())

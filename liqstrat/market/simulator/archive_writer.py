"""Files as the exchange's archive has them: daily zips of one CSV, with checksums, that say SIMULATED."""

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

_PLACE = ".writing"


def decimals(units: npt.NDArray[np.int64], digits: int) -> pa.Array:
    """Exact decimals: `units` of 10^-digits each, zero or more."""
    words = np.zeros((len(units), 2), dtype=np.int64)
    words[:, 0] = units
    return pa.Array.from_buffers(pa.decimal128(38, digits), len(units), [None, pa.py_buffer(words)])


class ArchiveWriter:
    """Writes the files of one day aside, then moves them into place together: a context manager."""

    def __init__(self, folder: Path, symbol: str, parameters: Mapping[str, Any]) -> None:
        self._folder, self._symbol = folder, symbol
        self._comment = ("SIMULATED " + json.dumps(parameters, sort_keys=True)).encode()
        self._aside = folder / _PLACE
        shutil.rmtree(self._aside, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    def table(self, kind: str, label: str, day: date, rows: pa.Table) -> None:
        """`<kind>/<symbol>-<label>-<day>.zip` and its `.CHECKSUM`."""
        name = f"{self._symbol}-{label}-{day.isoformat()}"
        content = self._zipped(f"{name}.csv", day, _csv(rows))
        self._write(f"{kind}/{name}.zip", content)
        line = f"{hashlib.sha256(content).hexdigest()}  {name}.zip\n"
        self._write(f"{kind}/{name}.zip.CHECKSUM", line.encode())

    def parquet(self, label: str, day: date, rows: pa.Table) -> None:
        """`truth/<symbol>-<label>-<day>.parquet`."""
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(rows, sink, compression="zstd")
        self._write(f"truth/{self._symbol}-{label}-{day.isoformat()}.parquet", sink.getvalue())

    def publish(self) -> list[Path]:
        """Move what was written since the last time into place."""
        written = sorted(path for path in self._aside.rglob("*") if path.is_file())
        targets = [self._folder / path.relative_to(self._aside) for path in written]
        for path, target in zip(written, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
        shutil.rmtree(self._aside, ignore_errors=True)
        return targets

    def _zipped(self, name: str, day: date, content: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            entry = zipfile.ZipInfo(name, date_time=(day.year, day.month, day.day, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content, compresslevel=3)
            archive.comment = self._comment
        return buffer.getvalue()

    def _write(self, name: str, content: Any) -> None:
        path = self._aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _csv(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    sink.write((",".join(rows.column_names) + "\n").encode())
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none", batch_size=65_536)
    pa.csv.write_csv(rows, sink, options)
    return bytes(sink.getvalue())

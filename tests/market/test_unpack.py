"""What is unzipped is what was zipped, however it lies in the file."""

import zipfile
from pathlib import Path

import pytest

from liqstrat.market.archive.unpack import unpack

_LARGE = "".join(f"{i},60000.{i % 10},0.{i % 997:03d}\n" for i in range(200_000)).encode()


@pytest.mark.parametrize("content", [b"", b"one line\n", _LARGE], ids=["nothing", "a line", "a day"])
@pytest.mark.parametrize("kept", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_every_byte_comes_back(tmp_path: Path, content: bytes, kept: int) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2024-03-01.zip"
    member = zipfile.ZipInfo("BTCUSDT-aggTrades-2024-03-01.csv")
    member.extra, member.compress_type = b"\xfe\xca\x04\x00abcd", kept
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    # Something may stand before the archive, as in those that unpack themselves.
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    unpacked = unpack(path, "BTCUSDT", tmp_path)
    assert unpacked.csv.read_bytes() == content
    unpacked.remove()
    assert list(tmp_path.iterdir()) == [path]

"""From a file of the archive to a CSV file on disk: checksum, zip, and whether it says that it is simulated."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from isal import isal_zlib

from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.names import symbol_of

_SIMULATED = b"SIMULATED"
_CHUNK = 1 << 20
_NOT_DEFLATED: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # Its stubs call it an instance.
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, _NOT_DEFLATED, EOFError, NotImplementedError, RuntimeError)
_ENCRYPTED = 1
#: Of a member, before its name: 26 bytes that the directory tells too, then how long name and extra field are.
_LOCAL_HEADER = 30


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file; raises `RefusedError` when a `.CHECKSUM` beside it says another."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    beside = path.with_name(path.name + ".CHECKSUM")
    if beside.is_file():
        said = (beside.read_text(errors="replace").split() or [""])[0].lower()
        if said != found:
            raise RefusedError(f"its SHA-256 is {found}, expected {said or 'one'} as in {beside.name}; get it again")
    return found


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A CSV file, to be removed after use if `temporary`; `simulated` is whether the zip says so."""

    csv: Path
    temporary: bool
    simulated: bool

    def remove(self) -> None:
        if self.temporary:
            self.csv.unlink(missing_ok=True)


def unpack(path: Path, symbol: str, folder: Path) -> Unpacked:
    """The CSV in `path`, unzipped into `folder` if need be.

    Raises `RefusedError` for a zip that is corrupt, or holds anything but one CSV of the same symbol.
    """
    if path.suffix.lower() != ".zip":
        return Unpacked(path, temporary=False, simulated=False)
    handle, name = tempfile.mkstemp(suffix=".csv", prefix=path.stem, dir=folder)
    target = Path(name)
    try:
        with zipfile.ZipFile(path) as archive, os.fdopen(handle, "wb") as plain:
            for part in _plain(archive, _only_member(archive, symbol)):
                plain.write(part)
            return Unpacked(target, temporary=True, simulated=archive.comment.startswith(_SIMULATED))
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, _BROKEN_ZIP):
            raise RefusedError(f"is not a whole zip file ({error}); get it again") from None
        raise


def _only_member(archive: zipfile.ZipFile, symbol: str) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) != 1 or not members[0].filename.lower().endswith(".csv"):
        names = ", ".join(info.filename for info in members[:3]) or "nothing"
        raise RefusedError(f"holds {names}{', …' if len(members) > 3 else ''}; expected one .csv file")
    inside = symbol_of(PurePath(members[0].filename))
    if inside and inside != symbol:
        raise RefusedError(f"is named for {symbol}, but holds {members[0].filename}")
    return members[0]


def _plain(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What is in a member, by parts; inflated by ISA-L, which takes little more than half of the time of zlib."""
    if member.compress_type != zipfile.ZIP_DEFLATED or member.flag_bits & _ENCRYPTED or archive.fp is None:
        with archive.open(member) as packed:
            while part := packed.read(_CHUNK):
                yield part
        return
    file = archive.fp
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER)
    file.seek(sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28)), os.SEEK_CUR)
    inflated, left, check = isal_zlib.decompressobj(-zlib.MAX_WBITS), member.compress_size, 0
    while left > 0 and (packed_part := file.read(min(left, _CHUNK // 4))):
        left -= len(packed_part)
        part = inflated.decompress(packed_part)
        check = isal_zlib.crc32(part, check)
        yield part
    if check != member.CRC or not inflated.eof:
        raise zipfile.BadZipFile(f"{member.filename} is not what its checksum says")

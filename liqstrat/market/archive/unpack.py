"""From a file of the archive to a CSV file on disk: checksum, zip, and whether it says that it is simulated."""

import gzip
import hashlib
import lzma
import os
import shutil
import struct
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
# `zipfile` lets through whatever its parts raise on bytes that make no sense.
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    _NOT_DEFLATED,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
    MemoryError,
)
_ENCRYPTED, _NAME_IS_UTF8 = 1, 0x800
_BEGIN_OF_MEMBER = b"PK\x03\x04"
#: Text of numbers is packed to a tenth, of the same number over and over to a hundredth.
_MOST_PACKED = 300
_NEVER_TOO_LARGE = 100 << 20
#: The list of what is in a zip, at its end: that of one file is shorter than this, however long its name and comment.
_LONGEST_DIRECTORY = 1 << 20
_END_OF_DIRECTORY, _LONGEST_COMMENT = b"PK\x05\x06", 1 << 16
_LONGEST_CHECKSUM = 1 << 12
#: Of a member, before its name: 26 bytes that the directory tells too, then how long name and extra field are.
_LOCAL_HEADER = 30


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file; raises `RefusedError` when a `.CHECKSUM` beside it says another."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    beside = path.with_name(path.name + ".CHECKSUM")
    if beside.is_file():
        with beside.open(encoding="utf-8", errors="replace") as file:
            said = (file.read(_LONGEST_CHECKSUM).split() or [""])[0].lower()
        if said != found:
            raise RefusedError(
                f"its SHA-256 is {found}, expected {said[:64] or 'one'} as in {beside.name}; get it again"
            )
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
    _check_directory(path)
    handle, name = tempfile.mkstemp(suffix=".csv", dir=folder)
    target = Path(name)
    try:
        with zipfile.ZipFile(path) as archive, os.fdopen(handle, "wb") as plain:
            member = _only_member(archive, symbol)
            _check_room(member, folder)
            size = 0
            for part in _plain(archive, member):
                size += len(part)
                if size > member.file_size:
                    raise zipfile.BadZipFile(f"{member.filename} is larger than the {member.file_size:,} bytes it says")
                plain.write(part)
            return Unpacked(target, temporary=True, simulated=archive.comment.startswith(_SIMULATED))
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, _BROKEN_ZIP):
            raise RefusedError(f"is not a whole zip file ({error or type(error).__name__}); get it again") from None
        raise


def unzipped(path: Path, folder: Path) -> Unpacked:
    """The CSV that is `path`, or that it has packed by gzip, then in `folder`; raises `RefusedError`."""
    if path.suffix.lower() != ".gz":
        return Unpacked(path, temporary=False, simulated=False)
    handle, name = tempfile.mkstemp(suffix=".csv", dir=folder)
    target, most = Path(name), max(_NEVER_TOO_LARGE, _MOST_PACKED * path.stat().st_size)
    try:
        with gzip.open(path) as packed, os.fdopen(handle, "wb") as plain:
            size = 0
            while part := packed.read(_CHUNK):
                size += len(part)
                if size > min(most, shutil.disk_usage(folder).free):
                    raise RefusedError(
                        f"unpacks to more than {size >> 20:,} MB, for which there is no room; get it again"
                    )
                plain.write(part)
        return Unpacked(target, temporary=True, simulated=False)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, (OSError, *_BROKEN_ZIP)) and not isinstance(error, RefusedError):
            raise RefusedError(f"is not a whole gzip file ({error or type(error).__name__}); get it again") from None
        raise


def _check_directory(path: Path) -> None:
    """Raise for a zip with a long list of files, which would have to be read whole to see that it is none of ours."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_COMMENT - 22))
        end = file.read()
    at = end.rfind(_END_OF_DIRECTORY)
    # Where a zip is too large for these numbers, all bits are set, and the directory has a hundred bytes more.
    length = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    if _LONGEST_DIRECTORY < length < 0xFFFFFFFF:
        raise RefusedError("holds many files; expected one .csv file")


def _check_room(member: zipfile.ZipInfo, folder: Path) -> None:
    """Raise for what would fill the disk, and for what no file of numbers is packed to."""
    size, packed = member.file_size, max(member.compress_size, 1)
    if size > _NEVER_TOO_LARGE and size > _MOST_PACKED * packed:
        raise RefusedError(f"holds {size:,} bytes packed into {packed:,}, which no history is; get it again")
    if size > (free := shutil.disk_usage(folder).free):
        raise RefusedError(f"unpacks to {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free in {folder}")


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
    name_length, more_length = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    name = file.read(name_length).decode("utf-8" if member.flag_bits & _NAME_IS_UTF8 else "cp437")
    if not header.startswith(_BEGIN_OF_MEMBER) or name != member.orig_filename:
        raise zipfile.BadZipFile(f"its directory tells of {member.orig_filename}, and {name} is there")
    file.seek(more_length, os.SEEK_CUR)
    inflated, left, check = isal_zlib.decompressobj(-zlib.MAX_WBITS), member.compress_size, 0
    while left > 0 and (packed_part := file.read(min(left, _CHUNK // 16))):
        left -= len(packed_part)
        part = inflated.decompress(packed_part)
        check = isal_zlib.crc32(part, check)
        yield part
    if check != member.CRC or not inflated.eof:
        raise zipfile.BadZipFile(f"{member.filename} is not what its checksum says")

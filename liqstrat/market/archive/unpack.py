"""From a file of the archive to a CSV file on disk: checksum, zip, and whether it says that it is simulated."""

import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePath

from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.names import symbol_of

_SIMULATED = b"SIMULATED"
_CHUNK = 1 << 20
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


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
            with archive.open(_only_member(archive, symbol)) as packed:
                shutil.copyfileobj(packed, plain, _CHUNK)
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

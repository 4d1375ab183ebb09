"""One file of the archive: brought over, gone on with after an abort, and only counted once it is verified."""

import hashlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from liqstrat.market.download.answers import AbsentError, RefusedError
from liqstrat.market.download.plan import ArchiveFile
from liqstrat.market.download.report import FileReport, State
from liqstrat.market.download.transport import Archive

_LONGEST_CHECKSUM = 1 << 12


class Place:
    """Where a file lies below the target folder: the zip and its .CHECKSUM, both with the suffix .part until verified.

    The .CHECKSUM of a verified zip says so in a comment, with the zip's size and modification time. While these hold,
    the zip is as it was verified and need not be read again. (`sha256sum --check` skips comments.)
    """

    def __init__(self, target: Path, file: ArchiveFile) -> None:
        self.zip = target / file.path
        self.part = self.zip.with_name(f"{self.zip.name}.part")
        self._checksum = self.zip.with_name(f"{self.zip.name}.CHECKSUM")
        self._checksum_part = self.zip.with_name(f"{self.zip.name}.CHECKSUM.part")

    def held(self) -> bool:
        return self.zip.is_file() and self._checksum.is_file()

    def verified(self) -> bool:
        """Whether the zip is there and is what its .CHECKSUM says."""
        if not self.held():
            return False
        text = _begin_of(self._checksum)
        if self._note() in text.splitlines():
            return True
        if not self.matches(parse_checksum(text)):
            return False
        self._checksum_part.write_text(text)
        self.keep_checksum()
        return True

    def recorded(self) -> str | None:
        """The SHA-256 in the .CHECKSUM that is there."""
        return _read_checksum(self._checksum)

    def matches(self, expected: str | None) -> bool:
        return self.zip.is_file() and sha256(self.zip) == expected

    def begin(self, checksum: str) -> None:
        """Make ready for the zip that `checksum`, the text of its .CHECKSUM, is of; the part of another one goes."""
        self.zip.parent.mkdir(parents=True, exist_ok=True)
        if _read_checksum(self._checksum_part) != parse_checksum(checksum):
            self.part.unlink(missing_ok=True)
            self._checksum_part.write_text(checksum)

    def drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self._checksum_part.unlink(missing_ok=True)

    def keep(self) -> None:
        """The part is right: give it its name."""
        os.replace(self.part, self.zip)
        self.keep_checksum()

    def keep_checksum(self) -> None:
        """The zip is what the begun .CHECKSUM says."""
        line = _begin_of(self._checksum_part).strip().splitlines()[0]
        self._checksum_part.write_text(f"{line}\n{self._note()}\n")
        os.replace(self._checksum_part, self._checksum)
        self.part.unlink(missing_ok=True)

    def _note(self) -> str:
        stat = self.zip.stat()
        return f"# verified: {stat.st_size} bytes, modified {stat.st_mtime_ns} ns"


def fetch(
    file: ArchiveFile,
    archive: Archive,
    target: Path,
    *,
    refresh: bool = False,
    reached: Callable[[float], None] = lambda share: None,
) -> FileReport:
    """Bring one file below `target`, unless it is there and verified; `reached` is told the share that has come.

    With `refresh` the archive is asked for its .CHECKSUM even then, and the zip is fetched again if that changed. The
    one that is there stays until the other is verified. Never raises for what the network, the archive or the disk
    does: the report says it.
    """
    place = Place(target, file)
    try:
        held = place.verified()
        if held and not refresh:
            return _done("present", file, place)
        return _obtain(file, place, archive, held, reached)
    except RefusedError as problem:
        return FileReport(file, place.zip, "failed", str(problem))
    except OSError as problem:
        return FileReport(file, place.zip, "failed", f"{problem.filename or place.zip}: {problem.strerror or problem}")


def _obtain(
    file: ArchiveFile, place: Place, archive: Archive, held: bool, reached: Callable[[float], None]
) -> FileReport:
    if file.first > datetime.now(UTC).date():
        return FileReport(file, place.zip, "missing", "its time has not come")
    reason = ""
    try:
        for _ in range(2):
            checksum = archive.text(f"{file.path}.CHECKSUM")
            expected = parse_checksum(checksum)
            if expected is None:
                raise RefusedError(f'its .CHECKSUM begins with "{checksum[:40]}", expected a SHA-256 and a name')
            there = place.recorded() == expected if held else place.matches(expected)
            place.begin(checksum)
            if there:
                place.keep_checksum()
                return _done("present", file, place)
            archive.save(file.path, place.part, reached)
            found = sha256(place.part)
            if found == expected:
                place.keep()
                return _done("fetched", file, place)
            place.drop()
            reason = f"wrong checksum, twice: expected {expected[:12]}…, found {found[:12]}…"
    except AbsentError:
        return _absent(file, place, archive, held)
    return FileReport(file, place.zip, "failed", reason, unusable=True)


def _absent(file: ArchiveFile, place: Place, archive: Archive, held: bool) -> FileReport:
    if held:
        return _done("present", file, place, "no longer in the archive")
    if archive.exists(file.path):
        return FileReport(file, place.zip, "failed", "has no .CHECKSUM in the archive to verify it by", unusable=True)
    place.drop()
    return FileReport(file, place.zip, "missing", "not in the archive")


def _done(state: State, file: ArchiveFile, place: Place, reason: str = "") -> FileReport:
    return FileReport(file, place.zip, state, reason, place.zip.stat().st_size)


def parse_checksum(text: str) -> str | None:
    """The SHA-256 in the text of a .CHECKSUM (`<64 hex digits>  <name>`), or None when it is something else."""
    found = re.match(r"\s*([0-9a-fA-F]{64})(?:\s|$)", text)
    return found[1].lower() if found else None


def _read_checksum(path: Path) -> str | None:
    return parse_checksum(_begin_of(path)) if path.is_file() else None


def _begin_of(checksum: Path) -> str:
    """All of a .CHECKSUM, which is a line or two, or the begin of what has its name."""
    with checksum.open(encoding="utf-8", errors="replace") as file:
        return file.read(_LONGEST_CHECKSUM)


def sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()

"""What an answer over HTTP means for going on: given up, tried again, or which bytes of which version come."""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse, InvalidURL
from urllib.error import HTTPError, URLError


class AbsentError(Exception):
    """The archive has no such file."""


class RefusedError(Exception):
    """Trying again is of no use, or was of none: the message says why."""


class StoppedError(Exception):
    """The download as a whole was stopped."""


class TransientError(Exception):
    """Worth another attempt, after `wait` seconds if the server said so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class BeyondEndError(Exception):
    """The rest of a file was asked for, from a place at or behind its end; `total` is its size, if told."""

    def __init__(self, total: int | None) -> None:
        super().__init__()
        self.total = total


@dataclass(frozen=True, slots=True)
class Body:
    """What an answer gives: bytes from `begin` on, of a file of `total` bytes and of this `version` (to be named in
    If-Range), both as far as the server tells."""

    begin: int
    total: int | None
    version: str

    def is_other_than(self, later: "Body") -> bool:
        other_size = None not in (self.total, later.total) and self.total != later.total
        return other_size or (self.version != "" and self.version != later.version)


def judged(error: HTTPError, ranged: bool) -> Exception:
    """What to raise for an answer that is not a file; `ranged`: only the rest of one was asked for."""
    reason = f"HTTP {error.code} {error.reason}".strip()
    match error.code:
        case 404 | 410:
            return AbsentError()
        case 416 if ranged:
            return BeyondEndError(_content_range(error.headers)[1])
        case code if code in (408, 429) or code >= 500:
            return TransientError(reason, _retry_after(error.headers))
    return RefusedError(reason)


def faltered(error: Exception) -> Exception:
    """What to raise when no answer came, or not all of it."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RefusedError(f"its certificate is not trusted: {cause.verify_message}")
    if isinstance(cause, InvalidURL):
        return RefusedError(str(cause))
    if isinstance(cause, TimeoutError):
        return TransientError("no answer in time")
    return TransientError(f"connection failed: {cause or type(cause).__name__}")


def _retry_after(headers: Message) -> float | None:
    """Seconds to wait; the header holds seconds or a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def body_of(response: HTTPResponse) -> Body:
    """What the body of `response` is, by its headers."""
    tag = response.headers.get("ETag", "")
    # RFC 9110, 13.1.5: a weak tag does not vouch for every byte
    version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if response.status != 206:
        return Body(0, length_of(response.headers), version)
    begin, total = _content_range(response.headers)
    if not begin:
        raise TransientError("answered with another range than was asked for")
    return Body(begin, total, version)


def _content_range(headers: Message) -> tuple[int | None, int | None]:
    """First byte and full size of `bytes 5-9/10` or `bytes */10`; None where it is not told."""
    found = re.fullmatch(
        r"bytes\s+(?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18}|\*)", headers.get("Content-Range", "").strip()
    )
    if not found:
        return None, None
    first, total = found.groups()
    return (int(first) if first else None), (int(total) if total != "*" else None)


def length_of(headers: Message) -> int | None:
    """Bytes in the body, if told."""
    text = headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None

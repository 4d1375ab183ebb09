"""Where a Redis is, in words that may be shown, and what is the matter with it."""

import re
from typing import Any
from urllib.parse import urlsplit

from liqstrat.errors import LiqstratError


def client_of(url: str) -> Any:
    """A client that connects when it sends; raises `LiqstratError` where the library is missing or the address none."""
    try:
        from redis import asyncio as library
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise LiqstratError("Redis needs its library: install liqstrat[redis]") from None
    try:
        parts = urlsplit(url)
        if parts.scheme != "unix" and not re.fullmatch(r"(/[0-9]*)?", parts.path):
            raise ValueError(f'"{parts.path[1:]}" is no number of a database')
        # What the library sends again by itself would stand twice.
        once = Retry(NoBackoff(), 0)
        client = library.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0, retry=once)
        # Nothing is connected yet, but what is no option is found.
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        shown = without_secrets(url)
        raise LiqstratError(f'"{shown}" is no address of a Redis, as redis://localhost:6379/0: {error}') from None
    return client


def without_secrets(url: str) -> str:
    """The address as it may be shown."""
    return re.sub(r"//[^/]*@", "//***@", url.partition("?")[0])


def words_of(error: Exception) -> str:
    """What is the matter with a Redis."""
    from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError

    away = isinstance(error, (ConnectionError, TimeoutError, OSError)) and not isinstance(error, AuthenticationError)
    return f"{'cannot be reached' if away else 'does not take what is sent'}: {error}"

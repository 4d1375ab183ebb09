"""What stands before all routes: who may ask, from where, and what a page may do in a browser."""

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liqstrat.serve.limits import MOST_LETTERS
from liqstrat.serve.refusals import problem

COOKIE = "liqstrat"
#: A page may use what this server gives, and nothing else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")


class Guard:
    """Refuses what comes from elsewhere, and sends headers that bind pages to this server.

    token: what an asker must know, as `Authorization: Bearer` or once as `?token=`; None where only this machine can
    ask. A request must then name this machine as its host: a name that somebody else points here is refused.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            # A page of another site may open one, and would read it: browsers say where it is from.
            _, sentence = self._refusal("GET", headers)
            if sentence is None and not _is_foreign(headers):
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            return

        async def bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    given.setdefault(name, value)
                given.setdefault("Content-Security-Policy", POLICY)
            await send(message)

        if self._token is not None and (entered := self._entrance(scope)) is not None:
            await entered(scope, receive, bound)
            return
        status, sentence = self._refusal(scope["method"], headers)
        if sentence is not None:
            extra = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await problem(status, sentence, extra)(scope, receive, bound)
            return
        await self._app(scope, receive, bound)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str | None]:
        host = headers.get("host", "")
        if self._token is None and not is_local(host.rsplit(":", 1)[0] if not host.endswith("]") else host):
            return 421, "this server answers to localhost only; another address needs --host, and then a token"
        if self._token is not None and not self._is_known(headers):
            return (
                401,
                "a token is needed: open the address that `liqstrat serve` printed, or send it as a Bearer token",
            )
        if method in _CHANGING:
            if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return 403, "a page of another site may change nothing here"
            if _is_foreign(headers):
                return 403, "a page of another site may change nothing here"
            length = headers.get("content-length", "")
            if not length.isdecimal():
                return 411, "the body's length is missing"
            if int(length) > 4 * MOST_LETTERS:
                return 413, f"the body has {int(length):,} bytes, expected at most {4 * MOST_LETTERS:,}"
            if int(length) and not headers.get("content-type", "").startswith("application/json"):
                return 415, "expected a body of application/json"
        return 200, None

    def _is_known(self, headers: Headers) -> bool:
        given = headers.get("authorization", "")
        if given.lower().startswith("bearer ") and self._fits(given[7:].strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._fits(cookie.value)

    def _entrance(self, scope: Scope) -> ASGIApp | None:
        """Who comes with the token in the address gets it as a cookie, and an address without."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["method"] != "GET" or not self._fits(asked.pop("token", [""])[0]):
            return None
        rest = urlencode(asked, doseq=True)
        path = "/" + scope["path"].lstrip("/")
        response = RedirectResponse(f"{path}{'?' if rest else ''}{rest}", 303)
        response.set_cookie(COOKIE, self._token or "", httponly=True, samesite="strict")
        return response

    def _fits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), (self._token or "").encode()) and bool(token)


def _is_foreign(headers: Headers) -> bool:
    """Whether a page of another site asks."""
    origin = headers.get("origin", "")
    return bool(origin) and origin.split("://")[-1] != headers.get("host", "")


def is_local(host: str) -> bool:
    """Whether an address is this machine's own."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in ("localhost", "")

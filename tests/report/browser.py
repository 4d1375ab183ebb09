"""A headless Chromium on its debugging pipe: opens pages, runs JavaScript in them, notes what goes wrong."""

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)
# The browser reads at 3 and writes at 4.
_TAKE_PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_PATIENCE_SECONDS = 60.0

Message = dict[str, Any]


class Browser:
    """One running browser; a context manager that ends it."""

    def __init__(self, chromium: str, profile: Path) -> None:
        to_child, self._out = _pipe()
        self._in, from_child = _pipe()
        command = [sys.executable, "-c", _TAKE_PIPES, str(to_child), str(from_child), chromium, *_OPTIONS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._unread = b""
        self._events: list[Message] = []
        self._last_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def ask(self, page: Path, width: int, script: str) -> tuple[Any, list[str]]:
        """Open `page` at `width` pixels; what `script` (the body of an async function) returns, and what went wrong."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable", session)
        screen = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", session, **screen)
        self._call("Page.navigate", session, url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._read(time.monotonic() + _PATIENCE_SECONDS))
        expression = f"(async () => {{{script}}})()"
        answer = self._call("Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True)
        wrong = [text for event in self._events if (text := _complaint(event, page.as_uri()))]
        if "exceptionDetails" in answer:
            wrong.append(f"asking: {answer['exceptionDetails']}")
        self._call("Target.closeTarget", targetId=target)
        return answer["result"].get("value"), wrong

    def _call(self, method: str, session: str | None = None, **params: Any) -> Message:
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            if "method" in answer:
                self._events.append(answer)

    def _read(self, deadline: float) -> Message:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], max(deadline - time.monotonic(), 0))
            part = os.read(self._in, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError("the browser does not answer")
            self._unread += part
        text, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(text))


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are far from the numbers that the browser expects its own at."""
    ends = os.pipe()
    far = fcntl.fcntl(ends[0], fcntl.F_DUPFD_CLOEXEC, 20), fcntl.fcntl(ends[1], fcntl.F_DUPFD_CLOEXEC, 20)
    for end in ends:
        os.close(end)
    return far


def _complaint(event: Message, page: str) -> str | None:
    """What an event says is wrong with the page: on the console, thrown, blocked, or asked of the network."""
    method, params = event["method"], event["params"]
    if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
        return f"console: {params['args']}"
    if method == "Runtime.exceptionThrown":
        return f"thrown: {params['exceptionDetails']}"
    if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
        return f"log: {params['entry']['text']}"
    if method == "Network.requestWillBeSent":
        url = params["request"]["url"]
        return None if url == page or url.startswith(("data:", "blob:")) else f"fetched: {url}"
    return None

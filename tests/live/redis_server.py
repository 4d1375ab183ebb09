"""A real Redis for tests."""

import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

import redis


class Server:
    """A Redis of its own that can be killed and started again with what it had."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, decode_responses=True)
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--dir", str(self._folder), "--appendonly", "yes", "--bind", "127.0.0.1"]
        self._process = Popen(["redis-server", *options, "--appendfsync", "always"], stdout=DEVNULL)
        latest = time.monotonic() + 60
        while True:
            with suppress(redis.ConnectionError):
                self.client.ping()
                return
            assert time.monotonic() < latest
            time.sleep(0.02)

    def pause(self) -> None:
        """Let it stand still until it may go on; what it is sent meanwhile waits for it."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

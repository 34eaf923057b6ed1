"""A proxy that tunnels (CONNECT) to this machine, whatever host is asked for."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from selectors import EVENT_READ, DefaultSelector


class Proxy(ThreadingHTTPServer):
    """``login`` is the login it demands (``user:password``), ``status`` an error to answer, ``asked`` the hosts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.address = f"127.0.0.1:{self.server_port}"
        self.login: str | None = None
        self.status: int | None = None
        self.asked: list[str] = []

    def handle_error(self, *_: object) -> None:
        pass


class _Tunnel(BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        wanted = self.server.login and "Basic " + base64.b64encode(self.server.login.encode()).decode()
        if self.server.status or (wanted and self.headers.get("Proxy-Authorization") != wanted):
            self.send_error(self.server.status or 407)
            return
        with closing(socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2])))) as there:
            self.send_response(200)
            self.end_headers()
            here = self.connection
            with DefaultSelector() as selector, suppress(OSError):
                selector.register(here, EVENT_READ, there)
                selector.register(there, EVENT_READ, here)
                while ready := selector.select(10):
                    for key, _ in ready:
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        key.data.sendall(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Run a server in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

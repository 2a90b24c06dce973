"""Hosts with certificates of our own making, good and bad ones, on this machine."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
ANSWER = b'{"message": "forbidden."}'
HTTP = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: " + str(len(ANSWER)).encode() + b"\r\n\r\n" + ANSWER
)


@dataclass(frozen=True)
class Authority:
    """Issues certificates; who trusts `file` trusts them."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def certificate(self, name: str, *, days: int = 2) -> Path:
        """A key and a certificate in one file, for a name such as DNS:example.com or IP:::1.

        One for 0 days is out of date at once.
        """
        stem = self.folder / "".join(c if c.isalnum() else "-" for c in f"{name} {days}")
        key, request, signed = (stem.with_suffix(end) for end in (".key", ".csr", ".crt"))
        extension = stem.with_suffix(".ext")
        extension.write_text(f"subjectAltName={name}\nauthorityKeyIdentifier=keyid\n")
        run("req", *KEY, "-subj", "/CN=host")(*("-keyout", str(key), "-out", str(request)))
        run("x509", "-req", "-in", str(request), "-days", str(days))(
            *("-CA", str(self.file), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial"),
            *("-extfile", str(extension), "-out", str(signed)),
        )
        both = stem.with_suffix(".pem")
        both.write_text(key.read_text() + signed.read_text())
        return both


def make_authority(folder: Path) -> Authority:
    run("req", "-x509", *KEY, "-days", "2", "-subj", "/CN=our CA")(
        # Python 3.13 refuses an authority that does not say what its key is for
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")),
    )
    return Authority(folder)


def run(*arguments: str):  # type: ignore[no-untyped-def]
    """openssl with these arguments and those that follow."""

    def with_more(*more: str) -> None:
        subprocess.run(["openssl", *arguments, *more], check=True, capture_output=True)

    return with_more


class TlsHost:
    """Answers whatever it is asked with a 403, and keeps what was said once TLS stood."""

    def __init__(self, certificate: Path, port: int = 0) -> None:
        self.heard = b""
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave accept() its port
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=[raw], daemon=True).start()

    def _talk(self, raw: socket.socket) -> None:
        raw.settimeout(8)  # a client that was just not given its turn is no silent one
        with raw, suppress(OSError), self._context.wrap_socket(raw, server_side=True) as tls:
            self.heard += tls.recv(65_536)
            tls.sendall(HTTP)

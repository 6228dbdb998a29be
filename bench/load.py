"""One client that applies as fast as it can. `python -m bench.load FILE` prints the seconds it took.

Every ConfigMap of the file is applied once into the namespace `default`, on 16 connections. The client speaks just
enough HTTP to see the status, so that the server is what is measured. Starting Python and reading the file are not
counted, the TLS handshakes are.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bench.bare import CONNECTIONS, Request, requests

END = b"\r\n\r\n"


async def send(server: str, context: ssl.SSLContext, token: str, wanted: list[Request]) -> float:
    """Seconds for all applies. Raises RuntimeError for a refusal."""
    host = urlsplit(server)
    head = (
        f"Host: {host.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/apply-patch+yaml\r\n"
    )
    pending = iter(wanted)
    started = time.perf_counter()
    await asyncio.gather(*(_worker(host.hostname, host.port, context, head, pending) for _ in range(CONNECTIONS)))
    return time.perf_counter() - started


async def _worker(
    host: str | None, port: int | None, context: ssl.SSLContext, head: str, pending: Iterator[Request]
) -> None:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    for path, body in pending:
        line = f"PATCH {path}?fieldManager=load&force=true HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        writer.write(line.encode() + body)
        answer = await reader.readuntil(END)
        if not answer.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(answer.decode("latin-1"))
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    writer.close()


def main(file: str) -> None:
    """Take the cluster from the sandbox's kubeconfig, which is JSON, send, and print the seconds."""
    config = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
    cluster = config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    token = config["users"][0]["user"]["token"]
    print(asyncio.run(send(cluster["server"], context, token, requests(Path(file), "default"))))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The floor: a client that only sends. `python -m bench.bare FILE NAMESPACE` prints the seconds it took.

It sends what sbkube sends for new objects, a dry run and an apply of each, on 16 connections, and looks
at nothing but the status code. Starting Python and reading the file are not counted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp

CONNECTIONS = 16
HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}
Request = tuple[str, bytes]


def requests(file: Path, namespace: str) -> list[Request]:
    """Path and body of the apply of every ConfigMap in a file of JSON documents."""
    found = []
    for text in file.read_text().split("---\n")[1:]:
        name = json.loads(text)["metadata"]["name"]
        found.append((f"/api/v1/namespaces/{namespace}/configmaps/{name}", text.encode()))
    return found


async def send(server: str, context: ssl.SSLContext, token: str, wanted: Sequence[Request]) -> float:
    """Seconds for all dry runs and then all applies; raises aiohttp's errors for any refusal."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    headers = {**HEADERS, "Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(server, connector=connector, headers=headers) as session:
        started = time.perf_counter()
        for query in ("dryRun=All&", ""):
            pending = iter(wanted)
            await asyncio.gather(*(_worker(session, pending, query) for _ in range(CONNECTIONS)))
        return time.perf_counter() - started


async def _worker(session: aiohttp.ClientSession, pending: Iterator[Request], query: str) -> None:
    for path, body in pending:
        async with session.patch(f"{path}?{query}fieldManager=bare&force=true", data=body) as answer:
            answer.raise_for_status()
            await answer.read()


def main(file: str, namespace: str) -> None:
    """Take the cluster from the sandbox's kubeconfig, which is JSON, send, and print the seconds."""
    config = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
    cluster = config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    token = config["users"][0]["user"]["token"]
    print(asyncio.run(send(cluster["server"], context, token, requests(Path(file), namespace))))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The Python servers that are measured, each in a process of its own: `python -m bench.servers NAME PORT ARGUMENT`.

voxkeep       the server as `voxkeep serve` runs it; ARGUMENT is an archive's home
fastapi       the ordinary peer (bench/peers/fastapi_peer.py) over the same archive
encoded       a bare application that sends chunks encoded beforehand from memory; ARGUMENT is a file of them
stored        a bare application that reads rows stored as JSON texts, chunk by chunk; ARGUMENT is their database
sender        our audio sender on a bare route; ARGUMENT is a folder of files. `sender-plain` is without zero copy
FileResponse  Starlette's own, likewise
"""

import logging
import os
import sys
from pathlib import Path

import msgspec
import uvicorn
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from voxkeep.cli.serve import command
from voxkeep.database import Row
from voxkeep.database.sqlite import SqliteDatabase
from voxkeep.settings import Archive
from voxkeep.web.audio import send_audio
from voxkeep.web.zerocopy import ZeroCopy

STORED_CHUNK = "SELECT number, text FROM stored WHERE number > $1 ORDER BY number LIMIT $2"
_JSON = (b"content-type", b"application/json")


class OpenFile:
    """A body as the local vault's reader gives it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size
        self.etag = "0" * 64

    def fileno(self) -> int:
        return self._descriptor

    async def pread(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


def sender(root: Path) -> ASGIApp:
    bodies = {f"/{path.name}": OpenFile(path) for path in root.iterdir()}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send_audio(scope, receive, send, bodies[scope["path"]], media_type="audio/ogg")

    return answer


def zero_copy_sender(root: Path) -> ASGIApp:
    return ZeroCopy(sender(root))


def file_response(root: Path) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await FileResponse(root / scope["path"][1:], media_type="audio/ogg")(scope, receive, send)

    return answer


def encoded(file: Path) -> ASGIApp:
    chunks = msgspec.msgpack.decode(file.read_bytes(), type=list[bytes])

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON]})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer


def stored(path: Path) -> ASGIApp:
    database = SqliteDatabase(path)

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON]})
        last, opening = 0, b"["
        while rows := await database.read_shaped(_joined, STORED_CHUNK, last, Archive().chunk_rows):
            last, text = rows
            await send({"type": "http.response.body", "body": opening + text, "more_body": True})
            opening = b","
        await send({"type": "http.response.body", "body": b"]", "more_body": False})

    return answer


def _joined(rows: list[Row]) -> tuple[int, bytes] | None:
    return (rows[-1][0], b",".join([text for _, text in rows])) if rows else None


def fastapi(home: Path) -> ASGIApp:
    from bench.peers.fastapi_peer import make  # noqa: PLC0415 - heavy, and only its own process needs it

    return make(home)


APPLICATIONS = {
    "fastapi": fastapi,
    "encoded": encoded,
    "stored": stored,
    "sender": zero_copy_sender,
    "sender-plain": sender,
    "FileResponse": file_response,
}


def main(name: str, port: int, argument: Path) -> None:
    if name == "voxkeep":
        logging.disable(logging.INFO)
        command(data=argument, host="127.0.0.1", port=port)
        return
    uvicorn.run(
        APPLICATIONS[name](argument),
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

"""How much room the ledger of ten thousand operations takes, in each kind of store.
Run: python -m bench.space [OPERATIONS]"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import create_connection, socket

from bench.ledger import id_of, job_set, operation
from gateway.ledger import Ledger
from gateway.model import Status
from gateway.run import run
from gateway.stores import Store, open_store

OPERATIONS = 10_000
_AT_ONCE = 100


async def fill(store: Store, count: int) -> Ledger:
    """Operations that have begun, ended, and left an entity."""
    ledger = Ledger(store, time.time)

    async def one(number: int) -> None:
        id_ = id_of(number)
        await ledger.claim(operation(id_, number, time.time(), Status.RUNNING))
        await ledger.end(id_, Status.SUCCEEDED, result=[job_set(number)])
        await ledger.learn("billing", [job_set(number)])

    for start in range(0, count, _AT_ONCE):
        await asyncio.gather(*map(one, range(start, min(start + _AT_ONCE, count))))
    return ledger


async def of_memory(count: int) -> int:
    """With what the ledger keeps itself, which it does over the other stores, too."""
    store = await open_store("memory:", base=Path())
    tracemalloc.start()
    ledger = await fill(store, count)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del ledger  # not before
    return taken


async def of_sqlite(folder: Path, count: int) -> int:
    store = await open_store("sqlite:space.db", base=folder)
    await fill(store, count)
    await store.close()
    return (folder / "space.db").stat().st_size


@asynccontextmanager
async def redis_server(folder: Path) -> AsyncIterator[int]:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def used_memory(port: int) -> int:
    with create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"INFO memory\r\n")
        answer = connection.recv(65_536).decode()
    return int(answer.partition("used_memory:")[2].split()[0])


async def of_redis(folder: Path, count: int) -> int:
    async with redis_server(folder) as port:
        await asyncio.sleep(1)
        store = await open_store(f"redis://127.0.0.1:{port}/0", base=folder)
        await store.ping()
        before = used_memory(port)
        await fill(store, count)
        taken = used_memory(port) - before
        await store.close()
        return taken


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"memory": await of_memory(count), "sqlite": await of_sqlite(Path(folder), count)}
        if shutil.which("redis-server"):
            sizes["redis"] = await of_redis(Path(folder), count)
    print(f"{count:,} operations with their ends and one entity each:")
    for kind, size in sizes.items():
        print(f"  {kind:<8} {size / 1e6:6.1f} MB")


if __name__ == "__main__":
    run(main(int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS))

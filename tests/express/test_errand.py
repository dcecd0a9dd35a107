"""Coroutines that are begun at once: with or without a wait, cancelled at any time."""

import asyncio
from typing import Any

import pytest

from gateway.express.errand import Errand, begin


async def _run(work: Any) -> tuple[Any, Errand[Any] | None]:
    """``begin`` from a callback, as a transport would, and what comes of it in the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    waiting: list[Errand[Any]] = []

    def call() -> None:
        try:
            done.set_result(begin(loop, work, waiting.append))
        except Exception as error:
            done.set_exception(error)

    loop.call_soon(call)
    result = await done
    return result, waiting[0] if waiting else None


async def test_what_does_not_wait_needs_no_task() -> None:
    async def work() -> str:
        return "done"

    assert await _run(work()) == ("done", None)


async def test_what_waits_goes_on_as_a_task() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return "done"

    result, errand = await _run(work())
    assert result is None
    assert errand is not None
    assert await errand.task == "done"


async def test_an_error_before_the_first_wait_is_raised() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await _run(work())


async def test_a_timeout_that_began_before_the_first_wait_works() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "over"
        return "never"

    _, errand = await _run(work())
    assert errand is not None
    assert await errand.task == "over"


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_cancelled_at_any_time_it_cleans_up(turns: int) -> None:
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    loop = asyncio.get_running_loop()
    errands: list[Errand[None]] = []

    def waits(errand: Errand[None]) -> None:
        errands.append(errand)
        if not turns:
            errand.cancel()  # before the task has taken its first step

    loop.call_soon(lambda: begin(loop, work(), waits))
    for _ in range(1 + turns):
        await asyncio.sleep(0)
    errands[0].cancel()
    async with asyncio.timeout(10):
        await cleaned.wait()
    assert await asyncio.gather(errands[0].task, return_exceptions=True)

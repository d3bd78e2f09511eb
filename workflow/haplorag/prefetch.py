"""Makes items ahead of who takes them, in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
# How many batches wait, or are in the making, while a network has one.
AHEAD = 2
_END: Any = object()


@contextmanager
def prefetching(items: Iterable[Item], ahead: int = AHEAD) -> Iterator[Iterator[Item]]:
    """Give an iterator over the same items in the same order that a thread makes ahead of time.

    No more than `ahead` items, made or in the making, wait for the one who takes them. An exception
    is raised where the item would have come. The thread has ended when the block ends, whether all
    items were taken or not; the one in its making is finished first, and left alone. Items are
    worth making so where that leaves the interpreter to others: reading, numpy, kernels of numba
    (`nogil`).
    """
    iterator = iter(items)
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    waiting: deque[Future[Item]] = deque()

    def order() -> None:
        waiting.append(pool.submit(next, iterator, _END))

    def take() -> Iterator[Item]:
        for _ in range(ahead):
            order()
        while (item := waiting.popleft().result()) is not _END:
            order()
            yield item

    try:
        yield take()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

"""An event loop whose waits cost no time: its clock jumps to the next timer when nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is not None and timeout > 0:
            self.skipped_s += timeout
        return found if found or timeout is not None else super().select(timeout)


class JumpingLoop(asyncio.SelectorEventLoop):
    """``time`` counts waits only; ``busy`` lets it pass while nothing runs, as in a program that is held up."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped_s

    def busy(self, seconds: float) -> None:
        self._jumping.skipped_s += seconds


def run_jumping(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)

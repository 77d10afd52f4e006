"""Trying again what failed for a passing reason: a lost connection, a deadlock, a lock held for too long.

Comes in: an action, which leaves nothing behind when it raises; goes out: what it returned, or its last error, and a
sentence for each further try. Used by the insert threads for each transaction and by the load's own thread.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from etl.errors import TransientError
from etl.options import Retry

Result = TypeVar("Result")

_AT_RANDOM = 0.25
"""The part of a wait that chance decides, so that two loads in each other's way do not meet again."""


class Retries:
    """How a load tries again; one for all its threads."""

    def __init__(self, policy: Retry, notify: Callable[[str], object]) -> None:
        """`notify` is told, in a sentence, what happened and when it is tried again."""
        self._policy = policy
        self._notify = notify
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether the load is ending, so that nothing is tried again."""
        return self._ended.is_set()

    def call(self, action: Callable[[], Result]) -> Result:
        """What `action` returns, as often as the policy allows tried again while it raises TransientError.

        Raises what is permanent at once, and the last TransientError where trying again did not help, or the load ends.
        """
        attempts = self._policy.attempts
        tried = 0
        while True:
            try:
                return action()
            except TransientError as error:
                if self.ended or not attempts:
                    raise
                if tried == attempts:
                    raise type(error)(
                        f"{error} It was tried again {attempts} times (retry.attempts). The same command goes on from"
                        " what is committed."
                    ) from error
                tried += 1
                wait = self.wait(tried)
                self._notify(f"{error} Trying again in {wait:.2g} s (attempt {tried} of {attempts}).")
                if self._ended.wait(wait):
                    raise

    def wait(self, attempt: int) -> float:
        """Seconds before an attempt, from 1."""
        wait = min(self._policy.first_wait * 2.0 ** (attempt - 1), self._policy.max_wait)
        return wait * random.uniform(1 - _AT_RANDOM, 1)

    def interrupt(self) -> None:
        """From any thread: the load is ending; whoever waits stops waiting, and nothing is tried again."""
        self._ended.set()

"""Maps in worker processes, so that Python's global lock does not bound the speed.

`submit` writes a split into the pipe of the worker with the fewest in hand; a receiver thread for each reads the
answers. Since answers are always being read, a worker can always finish, and a full pipe delays only the feeder.

A worker that dies is replaced. The oldest split it had in hand is the suspect: it is mapped again record by record, and
a record is a reject (`killed_worker`) only if, alone in hand, it kills two workers in a row; the others it had in hand
are mapped again as they are. What is mapped again is handed over by the receiver, one at a time: a receiver that
writes more while it has an answer to read could wait for ever.

A seat that is taken away is given nothing more, and its worker is told to end with its last answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from etl.engines import pipe
from etl.engines.base import Engine, WorkerSetup
from etl.engines.child import FAREWELL_SECONDS, Child, ChildGone
from etl.engines.task import Task
from etl.engines.worker_thread import start_worker_thread
from etl.errors import WorkerDied
from etl.messages import MappedBatch, Split

STARTS = 5
"""Workers in a row that may end before they are ready; then none will ever be, here and now."""

KILLERS = 100
"""Records in a row that may kill; then it is not the records. (The time this takes: some 200 starts of a worker.)"""

OnNote = Callable[[str], object]
"""Is told, in a sentence for the user, that a worker was replaced; on the engine's threads."""


class ProcessEngine(Engine):
    """Worker processes, each in a seat that outlives it."""

    def __init__(
        self,
        module: str,
        setup: WorkerSetup,
        workers: int,
        prefetch: int,
        on_note: OnNote = lambda sentence: None,
    ) -> None:
        self.workers = 0
        self.prefetch = prefetch
        self._make_seat = partial(_Seat, module, setup, on_note)
        self._resizing = threading.Lock()
        """Held while workers are started, which takes long: `submit` does not wait for that."""
        self._lock = threading.Lock()
        """Held while a split finds its seat: one that got it is not taken away before the answer."""
        self._seats: list[_Seat] = []
        self._left: list[_Seat] = []
        """Taken away, and there until the next `resize` after their end."""
        self._peaks: dict[int, int] = {}
        """Bytes: the peak memory of seats that are not there any more, by their number."""
        self._closed = False
        try:
            self.resize(workers)
        except BaseException:
            self.close(cancel=True)
            raise

    def submit(self, split: Split) -> Future[MappedBatch]:
        task = Task(split)
        with self._lock:
            child = min(self._seats, key=_Seat.in_hand).take(task)
        if child is not None:
            child.send(split)
        return task.future

    def resize(self, workers: int) -> None:
        with self._resizing:
            if self._closed:
                return
            self._forget_ended()
            while self.workers < workers:
                self._seats.append(self._make_seat(self.workers + 1))
                self.workers += 1
            with self._lock:
                leaving, self._seats = self._seats[workers:], self._seats[:workers]
            self.workers = workers
            self._left += leaving
            for seat in leaving:
                seat.say_goodbye()

    def busy(self) -> int:
        return sum(1 for seat in [*self._seats, *self._left] if seat.in_hand())

    def close(self, *, cancel: bool = False) -> None:
        with self._resizing:
            self._closed = True
        for seat in [*self._seats, *self._left]:
            seat.say_goodbye(cancel=cancel)
        for seat in [*self._seats, *self._left]:
            seat.wait()

    def peak_memory(self) -> int:
        return sum(self._peaks_with([*self._seats, *self._left]).values())

    def _forget_ended(self) -> None:
        ended = [seat for seat in self._left if seat.ended()]
        self._peaks = self._peaks_with(ended)
        self._left = [seat for seat in self._left if seat not in ended]

    def _peaks_with(self, seats: Iterable[_Seat]) -> dict[int, int]:
        peaks = dict(self._peaks)
        for seat in seats:
            peaks[seat.number] = max(peaks.get(seat.number, 0), seat.peak_memory)
        return peaks


class _Seat:
    """One worker process after the other, what they have in hand, and the thread that reads their answers.

    Raises OSError where the system starts no process or no thread.
    """

    def __init__(self, module: str, setup: WorkerSetup, on_note: OnNote, number: int) -> None:
        self.number = number
        self.peak_memory = 0
        """Bytes: of the largest of its workers, as far as it lived to tell."""
        self._module = module
        self._setup = setup
        self._on_note = on_note
        self._lock = threading.Lock()
        self._in_hand: deque[Task] = deque()
        self._one_at_a_time = False
        """The receiver hands over what is in hand. Otherwise whoever gives it does, at once."""
        self._closing = self._cancelled = False
        self._ready = False
        """The worker was made; before, no split can be the reason for its death."""
        self._mapping_one = False
        """One at a time: it has been handed over and is not answered yet."""
        self._failed_starts = 1
        """Workers in a row that are not ready yet, the present one included."""
        self._killers = 0
        """Records in a row that were given up."""
        self._over: Exception | None = None
        """Why nothing more is mapped here."""
        self._child = Child(module, setup)
        try:
            self._receiver = start_worker_thread(number, self._work)
        except BaseException:
            self._child.kill()
            self._child.bury()
            raise

    def in_hand(self) -> int:
        return len(self._in_hand)

    def take(self, task: Task) -> Child | None:
        """Have it in hand. The worker that the caller is to send it to; None where that is not for the caller to do."""
        with self._lock:
            over = self._over
            if over is None:
                self._in_hand.append(task)
                return None if self._one_at_a_time else self._child
        task.future.set_exception(over)
        return None

    def say_goodbye(self, *, cancel: bool = False) -> None:
        with self._lock:
            self._closing = True
            self._cancelled = self._cancelled or cancel
            child, receiver_hangs_up = self._child, self._one_at_a_time or bool(self._in_hand)
        if cancel:
            child.kill()
        elif not receiver_hangs_up:
            child.hang_up()

    def ended(self) -> bool:
        return not self._receiver.is_alive()

    def wait(self) -> None:
        self._receiver.join(None if not self._cancelled else FAREWELL_SECONDS)

    def _work(self) -> None:
        """The receiver thread."""
        over: Exception = WorkerDied("The worker processes were told to end.")
        try:
            while not self._served():
                pass
        except Exception as error:  # noqa: BLE001 - whatever ends this thread, nobody may wait for its futures
            over = error
            self._child.kill()
            self._child.bury()
        with self._lock:
            self._over = over
            left, self._in_hand = self._in_hand, deque()
        for task in left:
            if self._cancelled:
                task.future.cancel()
            else:
                task.future.set_exception(over)

    def _served(self) -> bool:
        """Serve until this worker has said farewell (True), or is gone and replaced (False)."""
        try:
            if self._one_at_a_time:
                self._map_one_at_a_time()
            while not isinstance(message := self._receive(), pipe.Farewell):
                if isinstance(message, pipe.Answer):
                    task = self._in_hand[0]
                    task.take(message)
                    self._settle(task)
        except ChildGone:
            return not self._replaced(self._child.bury())
        self._child.bury()
        return True

    def _receive(self) -> pipe.Ready | pipe.Answer | pipe.Farewell:
        message = self._child.receive()
        if isinstance(message, pipe.Ready):
            self._ready = True
            self._failed_starts = 0
        else:
            self._killers = 0
            self.peak_memory = max(self.peak_memory, message.peak_memory)
        return message

    def _map_one_at_a_time(self) -> None:
        """Until nothing is in hand, and whoever gives a task hands it over again."""
        while not self._ready:
            self._receive()
        while (task := self._next_task()) is not None:
            while (split := task.next_split()) is not None:
                self._mapping_one = True
                self._child.send(split)
                message = self._receive()
                if not isinstance(message, pipe.Answer):
                    raise ChildGone
                self._mapping_one = False
                task.take(message)
            self._settle(task)

    def _next_task(self) -> Task | None:
        with self._lock:
            if self._in_hand:
                return self._in_hand[0]
            self._one_at_a_time = False
            closing = self._closing
        if closing:
            self._child.hang_up()
        return None

    def _settle(self, task: Task) -> None:
        with self._lock:
            self._in_hand.popleft()
            last = self._closing and not self._in_hand and not self._one_at_a_time
        if last:
            self._child.hang_up()
        task.settle(self._setup)

    def _replaced(self, how: str) -> bool:
        """Start another worker for one that is gone; False where nobody needs one. Raises WorkerDied."""
        with self._lock:
            if self._cancelled or (self._closing and not self._in_hand):
                return False
            suspect = self._in_hand[0] if self._in_hand and (self._mapping_one or not self._one_at_a_time) else None
            self._one_at_a_time = True
        if self._ready:
            self._blame(suspect, how)
        self._ready = self._mapping_one = False
        while True:
            self._failed_starts += 1
            if self._failed_starts > STARTS:
                raise WorkerDied(
                    f"Worker processes cannot work here: {STARTS} in a row ended before they were ready, and the "
                    f"last {how}. What is committed is kept; the same command goes on when that is put right."
                )
            try:
                child = Child(self._module, self._setup)
            except OSError as error:
                how = f"could not be started ({error.strerror or error})"
                continue
            with self._lock:
                self._child = child
                cancelled = self._cancelled
            if cancelled:
                child.kill()
            return True

    def _blame(self, suspect: Task | None, how: str) -> None:
        """The worker died with this in hand."""
        if suspect is None or suspect.whole:
            again = "" if suspect is None else ", and what it had in hand is mapped again record by record"
            self._on_note(f"A worker process {how}; it is replaced{again}.")
        if suspect is not None and suspect.died(how):
            self._killers += 1
            if self._killers >= KILLERS:
                raise WorkerDied(
                    f"{KILLERS} records in a row killed the worker process that mapped them; the last one {how}. It "
                    "may be a function of the mapping, or too little memory: the same command goes on when that is put "
                    "right."
                )

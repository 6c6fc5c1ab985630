"""Somebody who reads the views of a stream while it runs."""

import threading
from typing import Any, Self

from pipelines import warehouse
from stream_desk import StreamDesk, until


class Reader:
    """Somebody who looks at usage and ledger all the while, whenever the stream has read more.

    What it sees has to grow: in each group of usage, and in each entry of the ledger.
    """

    def __init__(self, desk: StreamDesk) -> None:
        self.looks = 0
        self._desk, self._done = desk, threading.Event()
        self._seen: dict[tuple[Any, ...], int] = {}
        self._one_at_a_time = threading.Lock()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._keep_looking, name="reader")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        assert not self._failed, self._failed

    def look(self) -> None:
        """Sees what there is now; what was there before is there still."""
        with warehouse.connect(self._desk.out) as connection:
            self._look(connection)

    def _look(self, connection: Any) -> None:
        with self._one_at_a_time:
            self._compare(connection)

    def _compare(self, connection: Any) -> None:
        rows = [row for sql in _LOOKS for row in connection.execute(sql).fetchall()]
        now = {row[:-1]: row[-1] for row in rows}
        assert len(now) == len(rows), "a group is there twice"
        less = {each: (n, now.get(each)) for each, n in self._seen.items() if now.get(each, 0) < n}
        assert not less, less
        self._seen = now
        self.looks += 1

    def _keep_looking(self) -> None:
        try:
            until(lambda: self._done.is_set() or self._desk.began())
            with warehouse.connect(self._desk.out) as connection:
                while not self._done.is_set():
                    before = self._desk.batches()
                    self._look(connection)
                    until(
                        lambda before=before: self._done.is_set() or before < self._desk.batches()
                    )
        except BaseException as error:  # noqa: BLE001 - raised in the thread of the test
            self._failed.append(error)


_OWN = "run_id, quantity, cost, pane, written_at, event_count"  # what a revision may change
_LOOKS = (
    f"SELECT * EXCLUDE ({_OWN}), event_count FROM usage_current",  # noqa: S608 - ours
    "SELECT period_start, meter, outcome, reason, events FROM ledger_current",
    "SELECT 'events', COUNT(*) FROM events",
    "SELECT 'rejects', COUNT(*) FROM rejects",
)

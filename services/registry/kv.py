"""Key-value pairs in a SQLite file of their own, with Consul's index rules."""

import sqlite3
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from registry.blocking import Watches

SCHEMA = """
CREATE TABLE IF NOT EXISTS pairs (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, flags TEXT NOT NULL,
    create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS graves (key TEXT PRIMARY KEY, modify_index INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (1, 1);
"""
# Every key that starts with the prefix: none goes on with the last code point, which is no character.
# nosec below: these constants and names of tables are all that is pasted into a query, never what somebody sent.
UNDER = "key >= ? AND key < ? || char(1114111)"
COLUMNS = "key, value, flags, create_index, modify_index"


class Pair(NamedTuple):
    key: str
    value: bytes
    flags: int
    create_index: int
    modify_index: int


class KeyValues:
    """Every write is one transaction. The counter is kept in the file, so that no ModifyIndex is given twice
    and a check-and-set stays right over a restart."""

    def __init__(self, path: Path | str, watches: Watches) -> None:
        """Raises OSError or sqlite3.Error when the file cannot be used."""
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._watches = watches
        self._db = sqlite3.connect(path, isolation_level=None)
        # NORMAL: a killed process loses nothing; a power cut may lose the last writes, which are settings.
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {SCHEMA}")

    def close(self) -> None:
        self._db.close()

    def get(self, key: str) -> Pair | None:
        row = self._db.execute(f"SELECT {COLUMNS} FROM pairs WHERE key = ?", (key,)).fetchone()  # nosec B608
        return _pair(row) if row else None

    def under(self, prefix: str) -> list[Pair]:
        """All pairs whose key starts with the prefix, in key order."""
        rows = self._db.execute(f"SELECT {COLUMNS} FROM pairs WHERE {UNDER} ORDER BY key", (prefix, prefix))  # nosec B608
        return [_pair(row) for row in rows]

    def topic(self, key: str) -> Hashable:
        """What to wait for: the key itself, or any write while the key is missing."""
        return ("kv", key) if self.get(key) else "kv"

    def index(self, key: str) -> int:
        """The key's ModifyIndex; while it is missing the index of the whole store."""
        pair = self.get(key)
        return pair.modify_index if pair else self._counter()

    def index_under(self, prefix: str) -> int:
        """The highest index below the prefix, deletions included; the store's if nothing is there."""
        largest = 0
        for table in ("pairs", "graves"):
            query = f"SELECT MAX(modify_index) FROM {table} WHERE {UNDER}"  # nosec B608
            largest = max(largest, self._db.execute(query, (prefix, prefix)).fetchone()[0] or 0)
        any_pair = self._db.execute(f"SELECT 1 FROM pairs WHERE {UNDER} LIMIT 1", (prefix, prefix)).fetchone()  # nosec B608
        return largest if any_pair else self._counter()

    def put(self, key: str, value: bytes, flags: int = 0, cas: int | None = None) -> bool:
        """False when `cas` is given and not the key's ModifyIndex (0: the key must be missing)."""
        old = self.get(key)
        if cas is not None and cas != (old.modify_index if old else 0):
            return False
        if old and (old.value, old.flags) == (value, flags):
            return True
        with self._write([key]) as index:
            created = old.create_index if old else index
            row = (key, value, str(flags), created, index)
            self._db.execute("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM graves WHERE key = ?", (key,))
        return True

    def delete(self, key: str, cas: int | None = None) -> bool:
        """False when `cas` is given and not the ModifyIndex of an existing key; 0 never deletes."""
        old = self.get(key)
        if old and cas is not None and cas != old.modify_index:
            return False
        if old:
            self._delete([key])
        return True

    def delete_under(self, prefix: str) -> None:
        if keys := [pair.key for pair in self.under(prefix)]:
            self._delete(keys)

    def _delete(self, keys: list[str]) -> None:
        with self._write(keys) as index:
            self._db.executemany("DELETE FROM pairs WHERE key = ?", [(key,) for key in keys])
            self._db.executemany("INSERT OR REPLACE INTO graves VALUES (?, ?)", [(key, index) for key in keys])

    @contextmanager
    def _write(self, keys: list[str]) -> Iterator[int]:
        """One transaction with the next index; wakes the keys' watchers after the commit."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("UPDATE counter SET value = value + 1")
            yield self._counter()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        for key in keys:
            self._watches.wake(("kv", key))
        self._watches.wake("kv")

    def _counter(self) -> int:
        value: int = self._db.execute("SELECT value FROM counter").fetchone()[0]
        return value


def _pair(row: tuple[str, bytes, str, int, int]) -> Pair:
    # Flags are unsigned 64-bit numbers, one bit more than SQLite's integers hold: kept as text.
    return Pair(row[0], row[1], int(row[2]), row[3], row[4])

"""SOUK_HOME: the one folder with all that a run writes."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deploy.local.errors import Refused

FOLDERS = ("data", "logs", "run", "keys", "cache")
SOCKET = "control.sock"
KNOWN = {*FOLDERS, "passwords.json", "passwords.json.new"}
SEED_USERS = ("customer@souk.example", "operator@souk.example")
# A unix socket's path holds about 104 bytes (macOS; 108 on Linux); what is ours must fit with room to spare.
LONGEST_SOCKET_FOLDER = 80
LOG_KEPT_BYTES = 20_000_000


class Home:
    """The paths below SOUK_HOME."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data, self.logs, self.run, self.keys = (path / name for name in FOLDERS[:4])
        self.passwords_file = path / "passwords.json"
        self.service_keys = self.keys / "service.keys"
        self.system_file = self.run / "system.json"

    def create(self) -> None:
        """Make the folders that are missing. Raises Refused when that is not possible."""
        strangers = self.strangers()
        if strangers:
            raise Refused(f"{self.path} holds other things ({strangers[0]}): set SOUK_HOME to another folder")
        try:
            for name in FOLDERS:
                (self.path / name).mkdir(parents=True, exist_ok=True)
            # Databases and logs are nobody else's business; the folders with keys and sockets stay closed
            # even if somebody opens this one.
            for folder in (self.path, self.run, self.keys):
                folder.chmod(0o700)
        except OSError as error:
            raise cannot_write(self.path, error) from None

    def furnish(self) -> None:
        """Make keys and passwords that are missing, and shorten logs. Hold the lock: two at once would collide."""
        try:
            self._secrets()
            self._shorten_logs()
        except OSError as error:
            raise cannot_write(self.path, error) from None

    def strangers(self) -> list[str]:
        """What lies in the folder and is not ours."""
        try:
            if not self.path.exists():
                return []
            if not self.path.is_dir():
                raise Refused(f"{self.path} is not a folder: set SOUK_HOME to one")
            return sorted(entry.name for entry in self.path.iterdir() if entry.name not in KNOWN)
        except OSError as error:
            raise cannot_write(self.path, error) from None

    def _secrets(self) -> None:
        _write_once(self.service_keys, secrets.token_hex(32) + "\n")
        _write_once(self.keys / "storefront.key", secrets.token_hex(32) + "\n")
        passwords = {email: secrets.token_urlsafe(15) for email in SEED_USERS}
        _write_once(self.passwords_file, json.dumps(passwords, indent=2) + "\n")

    def _shorten_logs(self) -> None:
        """Move a log that has grown large aside; one old one of each is kept."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_KEPT_BYTES:
                log.rename(log.with_suffix(".log.old"))

    @property
    def sockets(self) -> Path:
        """The 0700 folder of our unix sockets; elsewhere when this one's path is too long for a socket."""
        if len(os.fsencode(self.run)) <= LONGEST_SOCKET_FOLDER:
            return self.run
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return Path(f"/tmp/souk-{os.getuid()}-{name}")  # nosec B108 # `make_sockets_folder` takes only our own

    def make_sockets_folder(self) -> Path:
        """Create the folder of the sockets, and refuse one that somebody else laid there."""
        folder = self.sockets
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise Refused(f"{folder} is not private to you: remove it, or set SOUK_HOME to a shorter path")
        return folder

    def sweep_run(self) -> None:
        """Remove sockets, pid files and generated configuration of a run that has ended. The locks stay."""
        if self.sockets != self.run and self.sockets.is_dir() and self.sockets.lstat().st_uid == os.getuid():
            shutil.rmtree(self.sockets)
        for entry in self.run.glob("*"):
            if entry.suffix == ".lock":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @contextmanager
    def lock(self, wait_s: float = 0) -> Iterator[None]:
        """One changing command at a time; raises Refused when another is at work for longer than `wait_s`.

        The kernel frees it when its process ends, however it ends.
        """
        deadline = time.monotonic() + wait_s
        while (held := take_lock(self.run / "souk.lock")) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if held is None:
            raise Refused(f"another souk command is at work on {self.path}: wait until it is done")
        with held:
            yield


def cannot_write(path: Path, error: OSError) -> Refused:
    """The one line for a folder that is not ours to write."""
    return Refused(f"cannot write to {path} ({error.strerror}): set SOUK_HOME to a folder of yours")


def take_lock(path: Path) -> IO[str] | None:
    """The open, locked file, or None when another process holds it."""
    try:
        file = path.open("a")
    except OSError as error:
        raise cannot_write(path.parent, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _write_once(path: Path, text: str) -> None:
    if path.exists():
        return
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    # Created with 0600, never opened up and closed down afterwards.
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    aside.rename(path)

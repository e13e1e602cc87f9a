"""A new configuration comes into force, or is kept aside: write, `nginx -t`, rename, reload.

`nginx.conf` is always one that nginx accepted. `reloads.json` beside it says how often it changed.
"""

import json
import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from gateway.log import log
from gateway.process import Nginx


class Configuration:
    """The configuration files of one nginx, and the count of its reloads (since this process began)."""

    def __init__(self, nginx: Nginx) -> None:
        self.nginx = nginx
        self.prefix = nginx.prefix
        self.text: str | None = None
        self.reloads = 0
        self.rejected = 0

    def put(self, text: str) -> bool:
        """Make `text` the nginx.conf if nginx accepts it; False and `nginx.conf.rejected` if it does not."""
        candidate = self.prefix / "nginx.conf.new"
        candidate.write_text(text)
        reason = self._check(candidate)
        if reason is not None:
            candidate.replace(self.prefix / "nginx.conf.rejected")
            self.rejected += 1
            self._note()
            log("error", "nginx rejects the new configuration; the last good one stays", reason=reason)
            return False
        candidate.replace(self.prefix / "nginx.conf")
        self.text = text
        return True

    def apply(self, text: str) -> bool:
        """Put `text` in force in the running nginx, unless it is so already. Returns whether it reloaded."""
        if text == self.text:
            return False
        began = time.monotonic()
        if not self.put(text):
            return False
        self.nginx.reload()
        self.reloads += 1
        self._note()
        log("info", "nginx reloads", reloads=self.reloads, ms=round((time.monotonic() - began) * 1000, 1))
        return True

    def _check(self, candidate: Path) -> str | None:
        """None, or why nginx does not take this file."""
        words = [self.nginx.binary, "-t", "-q", "-p", f"{self.prefix}/", "-c", candidate.name, "-e", "stderr"]
        done = subprocess.run(words, cwd=self.prefix, capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else done.stderr.strip()

    def _note(self) -> None:
        facts = {
            "reloads": self.reloads,
            "rejected": self.rejected,
            "at": datetime.now(UTC).isoformat(),
            "watcher_pid": os.getpid(),
            "nginx_pid": self.nginx.pid,
        }
        aside = self.prefix / "reloads.json.new"
        aside.write_text(json.dumps(facts) + "\n")
        aside.replace(self.prefix / "reloads.json")

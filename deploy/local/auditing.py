"""`souk audit`: gives the laboratory's audit the books of this system, and says what it found."""

import sys
import time
from functools import partial

from deploy.local.errors import Refused
from deploy.local.events import outboxes, queues
from deploy.local.live import instances, service_token, user_token
from deploy.runtime import Runtime
from loadtests.audit import Books, CannotCheck, Source
from loadtests.audit import audit as check

OPERATOR = "operator@souk.example"
RETRY_S = 1.0


def audit(system: Runtime, within_s: float) -> int:
    """0 when every promise was kept, 1 when one is broken, 2 when that could not be checked."""
    try:
        books, findings = check(partial(_read_patiently, system, within_s), within_s)
    except (CannotCheck, Refused) as error:
        print(f"souk: could not check: {error}", file=sys.stderr)
        return 2
    for finding in findings:
        print(finding)
    print(f"{len(books.orders)} orders checked, {len(findings)} findings")
    return 1 if findings else 0


def _read_patiently(system: Runtime, within_s: float) -> Books:
    """The books; tried again for `within_s`, since a service that has just been killed comes back."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return _read(system)
        except (CannotCheck, Refused):
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def _read(system: Runtime) -> Books:
    # Everything is looked up at each reading: while a system settles, instances come and go.
    _, bank = instances(system, "bank")[0]
    source = Source(
        gateway=system.gateway_url,
        operator_token=user_token(system, OPERATOR),
        bank=bank,
        outboxes=outboxes(system),
        queues=queues(system),
        service_token=partial(service_token, system),
        session=system.http,
    )
    return source.read()

"""`souk audit`: gives the laboratory's audit the books of this system, and says what it found."""

import sys
import time
from functools import partial

from deploy.local.client import System
from deploy.local.errors import Refused
from deploy.local.events import outboxes
from deploy.local.live import instances, service_token, user_token

OPERATOR = "operator@souk.example"
RETRY_S = 1.0


def audit(system: System, within_s: float) -> int:
    """0 when every promise was kept, 1 when one is broken, 2 when that could not be checked."""
    from loadtests import audit as laboratory

    def read() -> laboratory.Books:
        # Everything is looked up at each reading: while a system settles, instances come and go.
        _, bank = instances(system, "bank")[0]
        source = laboratory.Source(
            gateway=system.settings.gateway_url,
            operator_token=user_token(system, OPERATOR),
            bank=bank,
            outboxes=outboxes(system),
            service_token=partial(service_token, system),
        )
        return source.read()

    def read_patiently() -> laboratory.Books:
        deadline = time.monotonic() + within_s
        while True:
            try:
                return read()
            except (laboratory.CannotCheck, Refused):
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)

    try:
        books, findings = laboratory.audit(read_patiently, within_s)
    except (laboratory.CannotCheck, Refused) as error:
        print(f"souk: could not check: {error}", file=sys.stderr)
        return 2
    for finding in findings:
        print(finding)
    print(f"{len(books.orders)} orders checked, {len(findings)} findings")
    return 1 if findings else 0

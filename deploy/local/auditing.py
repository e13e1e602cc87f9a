"""`souk audit`: hands over to the laboratory's audit."""

from deploy.local.client import System
from deploy.local.errors import Refused


class NotChecked(Refused):
    """The audit could not be made. Exit code 2."""

    code = 2


def audit(system: System, within_s: float) -> int:
    """0 when every promise was kept, 1 when one is broken, 2 when that could not be checked."""
    try:
        from loadtests.audit import main
    except ImportError as error:
        raise NotChecked(f"the audit is not installed ({error}): run `sh deploy/setup.sh`") from None
    return main(system.settings.gateway_url, within_s=within_s)

"""Libraries that import more than they need where more is installed: what is not used costs memory in each process."""

import importlib
import sys
from typing import Any


def import_without(unwanted: str, name: str) -> Any:
    """The module `name`, which does without `unwanted` where that is not installed; here it may think so."""
    sys.modules.setdefault(unwanted, None)  # type: ignore[arg-type]  # what stops an import
    try:
        return importlib.import_module(name)
    finally:
        if sys.modules[unwanted] is None:
            del sys.modules[unwanted]

"""Shops for the simulation's tests: plain ones whose answer a formula knows, and one like the real one."""

from loadtests.model.calibration import Calibration
from loadtests.model.layout import Layout

SHOP = Calibration(
    demands_s={
        "page": {"nginx": 0.0005, "catalog": 0.0019},
        "fresh_product": {"nginx": 0.0005, "catalog": 0.0017},
        "stock": {"nginx": 0.0003, "inventory": 0.0024},
        "look": {"nginx": 0.0003, "orders": 0.0017},
        "order": {
            "nginx": 0.0003, "orders": 0.0086, "inventory": 0.0044, "payments": 0.0033, "carts": 0.002,
            "catalog": 0.0015, "notifications": 0.0018, "bank": 0.0018,
        },
    },
    waits_s={"page": 0.0015, "fresh_product": 0.0015, "stock": 0.0015, "look": 0.0015, "order": 0.003},
)  # fmt: skip
MIX = {"page": 6, "fresh_product": 6, "stock": 6, "look": 4, "order": 1}


def station(demand_s: float, cv: float) -> Calibration:
    """One service, nothing else: what a page costs, with so much spread."""
    return Calibration({"page": {"nginx": 0.0, "catalog": demand_s}}, cpu_cv=cv)


def servers(count: int, replicas: int = 1, cores: float | None = None, strategy: str = "random") -> Layout:
    """A catalog of so many processes, each with a core of its own unless `cores` says less; any number may wait."""
    return Layout(
        {"nginx": 1, "catalog": replicas}, cores or float(count), threads={"catalog": 10**6},
        processes={"catalog": count}, strategy=strategy,
    )  # fmt: skip

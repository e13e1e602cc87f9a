"""What does the gateway's cache save, and from which hit rate on would it pay?"""

from loadtests.lab.experiment import Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.measured import Measured
from loadtests.lab.plots import cpu_bars, latency_distribution
from loadtests.model.caching import break_even, mean_time_s, ttl_hit_rate_of_all

RATE, PRODUCTS = 100.0, 20
# The cache keeps an answer for 2 s, but nginx counts whole seconds: what came at 10.4 holds until the clock reads 13.
# So an answer lives for 2 to 3 s, 2.5 on average (ngx_http_file_cache_open compares valid_sec < ngx_time()).
LIVES_S = 2.5
CATALOG, ROUTE = "service:catalog", "/api/catalog/products/<sku>"
JUNG = "Jung, Berger and Balakrishnan, Modeling TTL-Based Internet Caches, INFOCOM 2003"


class Caching(Experiment):
    number = 6
    paced = True
    title = "The gateway's cache off, on, and cold"
    question = "Does the hit rate follow from the rate and the time to live, and the saved work from the hit rate?"

    def predict(self, lab: Lab) -> None:
        """What one miss and one hit take; the rest follows from how often each product is asked for."""
        every = lab.rate(RATE)
        self.idle = lab.watch("idle", lab.seconds(15, 3))
        lab.measure("cold: nobody asked before", Open(every, {"fresh_product": 1}), lab.seconds(30, 6))
        lab.measure("warm: one product", Open(every, {"product": 1}, skus=1), lab.seconds(30, 6))
        self.cold, self.warm = lab.measured[-2:]
        rate = ttl_hit_rate_of_all(every, [1 / PRODUCTS] * PRODUCTS, LIVES_S)
        one = every / PRODUCTS
        self.hit_rate = lab.predict(
            "hit rate", rate, "", formula="h = l T / (1 + l T) for each product",
            tex=r"h = \frac{\lambda T}{1 + \lambda T}", source=JUNG, l=(one, "1/s"), T=(LIVES_S, "s"),
        )  # fmt: skip
        demand = self.cold.demand_ms(CATALOG, self.idle)
        self.cores = lab.predict(
            "CPU of catalog with the cache on", self.idle.cores(CATALOG) + every * (1 - rate) * demand / 1000, "cores",
            formula="U = U_idle + L (1 - h) D", tex=r"U = U_0 + \Lambda (1 - h) D", source="utilisation law",
            U_idle=(self.idle.cores(CATALOG), "cores"), L=(every, "1/s"), h=(rate, ""), D=(demand, "ms"),
        )  # fmt: skip
        hit_ms, miss_ms = self.warm.mean_ms(), self.cold.mean_ms() - self.warm.mean_ms()
        self.mean = lab.predict(
            "mean latency with the cache on", mean_time_s(rate, hit_ms, miss_ms), "ms",
            formula="R = look + (1 - h) miss", tex=r"R = R_{hit} + (1 - h)(R_{cold} - R_{hit})",
            source="Hennessy and Patterson, Computer Architecture, chapter 2", h=(rate, ""), look=(hit_ms, "ms"),
            miss=(miss_ms, "ms"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        load = Open(lab.rate(RATE), {"product": 1}, skus=PRODUCTS)
        asked = []
        for _ in lab.repeats():
            before = self._asked(lab)
            lab.measure("cache on", load, lab.seconds(60, 10))
            asked.append(self._asked(lab) - before)
            lab.system.set("gateway/cache", "off")
            lab.measure("cache off", load, lab.seconds(60, 10))
            lab.system.set("gateway/cache", "on")
        self.asked = asked[0]

    def judge(self, lab: Lab) -> None:
        on, off = lab.of("cache on")[0], lab.of("cache off")[0]
        every = on.samples.where((on.samples.step == "product") & on.samples.ok)
        lab.check(self.hit_rate, 1 - self.asked / len(every), within=0.05)
        lab.check(self.cores, on.cores(CATALOG), within=0.3)
        lab.check(self.mean, on.mean_ms(), within=0.3)
        lab.require("catalog's CPU, on / off", on.cores(CATALOG) / off.cores(CATALOG), at_most=0.5)
        lab.require("hit rate from which it pays", self._break_even(off), at_most=1 - self.asked / len(every))
        failed = sum((~arm.requests.ok).sum() for arm in (on, off))
        lab.require("failed requests", float(failed), at_most=0, unit="requests")
        arms = {"off": off, "on": on, "cold": self.cold}
        groups = {name: (arm.latencies_ms(), arm.steady.response_ms[arm.steady.ok]) for name, arm in arms.items()}
        lab.plot(latency_distribution(groups, lab.folder.path, "latency", "A product: cache off, on, cold"))
        used = {name: {"catalog": arm.cores(CATALOG), "nginx": arm.cores("nginx")} for name, arm in arms.items()}
        lab.plot(cpu_bars(used, lab.folder.path, "cpu", f"CPU at {lab.rate(RATE):g} requests a second"))

    def _break_even(self, off: Measured) -> float:
        """Of CPU time, since that is what a cache saves on a busy machine: nginx pays the look, both the miss."""
        look = self.warm.demand_ms("nginx", self.idle)
        miss = off.demand_ms(CATALOG, self.idle) + off.demand_ms("nginx", self.idle)
        return break_even(look, miss, max(0.0, self.cold.demand_ms("nginx", self.idle) - look))

    def _asked(self, lab: Lab) -> float:
        """How many requests for a product have reached catalog so far."""
        return sum(lab.system.counters("catalog", "souk_request_seconds_count", route=ROUTE).values())

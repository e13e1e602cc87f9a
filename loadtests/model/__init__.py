"""What performance ought to be, from numbers that were measured: formulas, and a simulation.

Reading order: `laws` (what holds for any system) -> `queues`, `percentiles` and `fluid` (one station) -> `networks` and
`convolution` (many stations, a fixed number of customers) -> `scaling` and `fitting` (how throughput grows with
replicas) -> `availability`, `retries`, `caching` (what fails, what multiplies load, what takes it away).

The simulation of the shop: `topology` (who asks whom) -> `calibration` (costs, from a measured run) -> `layout` (how
many of what, where) -> `stations`, `fleet`, `journey` (what requests queue at, who is asked, their way) -> `simulation`
-> `outcome` -> `validation` (beside a measured arm), `predictions` and `zones` (what no machine here can run).

Units: seconds, requests per second, shares between 0 and 1. Wrong input is a ValueError that names it; a load that
no steady state can carry is `Overloaded`, which is a ValueError too. docs/maths.md teaches all of it.
"""

"""The list of who is running where: the part of Consul's HTTP API that Souk and its clients use.

Decides which instances of a service are healthy, and tells watchers within milliseconds when that changes.
Guarantees that an index never falls while the process runs, that it moves only when the covered content
moves, and that key-value pairs outlive a restart. The list of instances does not: every instance registers
anew within one renewal.

Reading order: `routes` (what can be asked), `agent_routes`, `catalog_routes` and `kv_routes` (how it is answered),
`agent` (the verbs), `store` and `records` (what is known, and its indexes), `blocking` and `reading` (how a watcher
waits), `checks` and `probes` (who turns critical when), `kv` (key-value pairs), `decoding`, `definitions` and `shapes`
(JSON in and out), `web` (HTTP as Consul speaks it), `serve` (the process).
"""

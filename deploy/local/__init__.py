"""Runs the whole fleet as plain processes on one machine, and is the `souk` command line.

It decides what is started with which environment, keeps it running, and takes it down without a trace.
It imports no service: it starts `python -m SERVICE serve` and speaks HTTP. `forked`, a process of its
own, becomes the services' `migrate` and `seed`.

Reading order: settings, home, fleet (what there is) -> cli, cli_app, cli_live -> starting (the story of `souk up`),
preflight, leftovers, prepare, forked, processes -> supervisor, control, replica, liveness (the process that stays) ->
client, health, status, show (how the command line sees it) -> stopping, scaling, killing, live, logs, trace,
events, auditing, dev, debug_server. `runtime` is all of this as `deploy.runtime` wants it. `errors` has the two ways to
refuse.
"""

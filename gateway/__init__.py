"""The one door: nginx, and a small process that keeps its configuration equal to what the registry knows.

This package decides which path goes to which service, what is retried, cached, limited and refused, and what
an error of the gateway itself looks like. Requests pass through nginx only; this Python process may be killed
and they go on. Which instances are healthy is decided by the registry, and who may do what by the services.

Reading order:

    nginx.conf.j2   the configuration: what a request meets
    render.py       routes + healthy instances + settings -> text; pure
    fleet.py        the routes, from services/fleet.toml
    settings.py     the environment becomes one checked object
    watch.py        what the registry says now, and a signal when it changes
    outliers.py     which instances are far worse than their peers; pure
    budget.py       whether tries may go on, or add too much to the load; pure
    attempts.py     what nginx says of each attempt at an instance, as outliers and budget take it
    reload.py       write aside, `nginx -t`, rename
    process.py      start nginx, or take over one that still runs; reload it, stop it
    main.py         the loop: change -> wait a moment -> render -> reload
"""

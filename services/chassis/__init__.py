"""What every service needs and no customer would notice.

Nothing in this package knows what the shop sells. A service's `app.py` calls `make_app` and then the
`use_...` functions that it needs; each hands back the part that the rest of the service works with.

Reading order, as a request meets the files:

    main.py          `python -m orders serve | migrate | seed | wait`
    settings.py      the environment becomes one checked object
    serve.py         gunicorn: bind, fork, register, drain, leave     address.py   where others reach us
    probe.py         the health check of a container
    patience.py      gunicorn's worker, whose threads never wait for a client; incoming.py: is a request whole?
    queueing.py      how long a request waited for a thread
    web.py           the Flask application: errors, health, metrics, one log line per request
    deadline.py      how much time is left          trace.py      which request this belongs to
    identity.py      who is asking                  limits.py     how fast they may ask; with
                     Redis (redis_url.py) all replicas together: shared_limits.py
    schemas.py       shapes that several services share   paging.py   lists in pages
    openapi.py       what the OpenAPI page says of answers, errors and headers
    idempotency.py   the same key twice is one effect
    database.py      transactions, said out loud      engines.py    SQLite and PostgreSQL
    inserting.py     rows of which there may be one already            migrate.py    Alembic
    prepared.py      what every order goes through is compiled once
    database_errors.py   what a database's refusal means    clock.py   whose clock counts
    outbox.py        events out: written with the change, relayed after it (relay.py) by a carrier (carrier.py): over
                     HTTP (push.py), or by RabbitMQ (broker.py: topology, link, publisher, consumer)
    inbox.py         events in: each has effect once
    discovery.py     who is healthy, by a registry (consul.py, belief.py), DNS (dns_discovery.py) or a file
                     (static_discovery.py), both unregistered.py, as discovery_url.py reads DISCOVERY_URL
    balancing.py     which of them is asked         load.py       how busy and slow they are
    calls.py         outbound HTTP: deadline, retry budget, breaker
    errors.py        the few errors and their HTTP status
    telemetry.py     logs and metrics               faults.py     breaking things on purpose
    imports.py       libraries without what they need not import
    testing.py       what the tests of every service share: apps and neighbours; tokens (testing_tokens.py),
                     bad input (testing_input.py), a PostgreSQL (testing_postgres.py, postgres_server.py), a RabbitMQ
                     (testing_rabbitmq.py, rabbitmq_server.py), a Redis (testing_redis.py), a DNS
                     server (testing_dns.py), fixtures (testing_fixtures.py)
"""

"""The system in containers: docker-compose.yml, what it needs beside it, and what starts it.

Reading order: commands, preflight, starting (`make compose-up`) and make_secrets need Python alone. With
`--runtime compose` a command of `souk` works on `runtime` (a `deploy.runtime.Runtime`), by engine (what Docker is
asked), project (what compose says), inside (HTTP from one of the containers), status, scaling, logs and partition.
laboratory and monitor are where experiments run.
"""

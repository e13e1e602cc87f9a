"""`python -m orders serve | migrate | seed | wait`: the commands of every service; several are run in order."""

import importlib
import importlib.util
import sys

from chassis.settings import ChassisSettings, SettingsError

COMMANDS = ("serve", "migrate", "seed", "wait")


def main(service: str, settings_class: type[ChassisSettings]) -> None:
    """Run the commands named on the command line. Exits with 2 for bad usage or settings."""
    commands = sys.argv[1:]
    if not commands or any(command not in COMMANDS for command in commands):
        sys.exit(f"usage: python -m {service} {' | '.join(COMMANDS)}")
    try:
        settings = settings_class.load()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 (there is no log yet)
        sys.exit(2)
    for command in commands:
        run(command, service, settings)


def run(command: str, service: str, settings: ChassisSettings) -> None:
    """Run one command. Each imports only what it needs: a migration needs no web server, a server no Alembic."""
    if command == "migrate":
        from chassis.migrate import upgrade

        upgrade(service, settings.database)
    elif command == "wait":
        from chassis.migrate import wait

        wait(service, settings.database)
    elif command == "seed":
        if importlib.util.find_spec(f"{service}.seed"):  # a service may have nothing to begin with
            importlib.import_module(f"{service}.seed").seed(settings)
    else:
        from chassis.serve import serve

        serve(f"{service}.app:create_app", settings)

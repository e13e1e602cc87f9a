"""`python -m deploy.compose up | down`: `make compose-up` and `make compose-down`. Needs Docker and Python alone."""

import sys

from deploy.compose.commands import Refused
from deploy.compose.starting import down, up

COMMANDS = {"up": up, "down": down}


def main(words: list[str]) -> int:
    """The exit status: 1 when it is refused or fails, with one line that says why; 2 for bad usage."""
    if len(words) != 1 or words[0] not in COMMANDS:
        print(f"usage: python -m deploy.compose {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        COMMANDS[words[0]]()
    except Refused as error:
        print(f"compose-{words[0]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

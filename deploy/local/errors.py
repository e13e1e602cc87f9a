"""The two ways in which a command refuses. The command line turns them into one line and an exit code."""


class Refused(Exception):
    """It could not be done. The text is one clear line that says what to do. Exit code 1."""

    code = 1


class Misused(Refused):
    """It was asked wrongly: a bad argument or a bad setting. Exit code 2."""

    code = 2

"""Why an experiment cannot run. The command line makes one line and an exit code of it."""


class CannotRun(Exception):
    """Bad input, or a system that is not there: nothing was measured. The text is one line that says what to do."""

    code = 2


class NotHere(CannotRun):
    """The experiment needs what this place has not; `--all` leaves it out."""


class LoadBroke(Exception):
    """The generator or a command of `souk` failed in the middle; the samples so far are kept."""

"""What all commands of `souk` share: the application, how a refusal is said, an option."""

import sys
from typing import Annotated, Any

try:
    import typer
except ImportError:
    sys.exit("souk: python packages are missing: run `sh deploy/setup.sh`")
from typer import Argument, Option, echo
from typer.core import TyperGroup

from deploy.local.errors import Refused
from deploy.runtime import Kind

__all__ = ["LOCAL", "Argument", "Instance", "Option", "Where", "app", "echo", "typer"]


class Commands(TyperGroup):
    """Turns what a command refuses into one line on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refusal:
            echo(f"souk: {refusal}", err=True)
            raise typer.Exit(refusal.code) from None
        except KeyboardInterrupt:
            echo("souk: interrupted", err=True)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            # Whoever read our output has had enough, as `head` has.
            sys.stderr.close()
            raise typer.Exit(0) from None


app = typer.Typer(
    cls=Commands,
    help="Souk, a small shop of microservices: start it, look at it, break it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Instance = Annotated[str | None, Option("--instance", help="Its id, name or pid, as `souk status` shows it.")]
LOCAL = Kind.LOCAL
Where = Annotated[
    Kind,
    Option("--runtime", envvar="SOUK_RUNTIME", help="What it runs in: processes of SOUK_HOME, or compose's project."),
]

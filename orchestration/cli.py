"""The `engagement` command.

Why it exists: every task of an operator and every question of an analyst without a browser. Commands parse
words, call one function and print; progress goes to stderr, so that stdout can be piped.
Exit codes: 0 done, 1 failed, 2 wrong usage or setting.
Here: the group, and how a failure becomes one sentence. Not here: the commands (`commands`), nor what they
do; imports are inside each of them, which keeps the others from waiting for Dagster.
"""

import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import click

from orchestration.commands import erasing, loading, opting, reading, retaining, running
from orchestration.settings import SettingsError, load_settings
from orchestration.shortage import shortage_in


class _Group(click.Group):
    """Turns expected failures into one clear sentence and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            # Whoever read the output, such as `head`, has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except Exception as error:
            if type(error).__name__ in _WRONG_USAGE:
                raise click.UsageError(str(error)) from error
            if type(error).__name__ in _EXPECTED:
                raise click.ClickException(str(error)) from error
            if shortage := shortage_in(error, "this command", load_settings().home):
                raise click.ClickException(str(shortage)) from error
            if isinstance(error, OSError):
                raise click.ClickException(str(error)) from error
            raise click.ClickException(_unexpected(error)) from error


# By name: importing the modules that define them would make every command wait.
_WRONG_USAGE: Final = frozenset({"RequestUnreadable", "SampleError", "SelectionError"})
_EXPECTED: Final = frozenset(
    {
        "DbtFailed",
        "DiskFull",
        "ErasureIncomplete",
        "ExportTooLarge",
        "IdentityKeyMissing",
        "JournalDamaged",
        "LandingMissing",
        "MemoryShort",
        "PersonErased",
        "PublicationMissing",
        "QueryRefused",
        "RecoveryRefused",
        "RunFailed",
        "ServiceFailed",
        "WarehouseBusy",
        "WarehouseDamaged",
    }
)


def _unexpected(error: Exception) -> str:
    log = load_settings().home / "logs" / "errors.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{traceback.format_exc()}\n")
    except OSError as problem:
        return f"Unexpected {type(error).__name__}: {error}. Its details can't be kept in {log}: {problem}"
    return f"Unexpected {type(error).__name__}. The details are in {log}; please report them."


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="engagement-metrics")
def main() -> None:
    """Measures capsules: who came, how deep the conversations went, what worked, what it earned."""


for _command in (
    running.up,
    running.sample,
    loading.load,
    loading.rebuild,
    loading.recover,
    loading.status,
    opting.opt_out,
    retaining.retention,
    reading.metrics,
    reading.custom_events,
    reading.export,
    reading.report,
    reading.sql,
    reading.access,
    erasing.erase,
    erasing.access_request,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()

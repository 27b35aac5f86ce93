"""How a command ends: an error becomes one message and an exit code (docs/design.md, section 7)."""

import errno
import io
import os
import sys
from collections.abc import Callable

import typer

from sweep.cli.wording import printable
from sweep.errors import InputError, Interrupted, StylesweepError, SurroundingsError


def ended(command: Callable[[], int | None]) -> int:
    """Run a command to its end; its exit code. Only a bug of ours keeps its traceback."""
    try:
        return _whole(command)
    except StylesweepError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted.")
        return Interrupted.exit_code
    except BrokenPipeError:  # `stylesweep runs x | head`
        _leave_output()
        return 0
    except UnicodeEncodeError as error:  # bytes of a file name or an argument that are no UTF-8; the database cannot hold them
        _complain(f"{error.object[:200]!a} holds bytes that are not UTF-8 text; rename what it names.")
        return InputError.exit_code
    except Exception as error:
        return _click_exit(_understood(error))


def _whole(command: Callable[[], int | None]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or a pipe that is not UTF-8 shows what it lacks as an escape
            stream.reconfigure(errors="backslashreplace")
    code = command()
    if sys.stdout is not None:
        sys.stdout.flush()  # here, where a full disk is told as any other error
    return code or 0


def _leave_output() -> None:
    """Standard output takes nothing more; without this Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _understood(error: Exception) -> Exception:
    """What a full disk, or a database of a locked, full or damaged file, says in our own words; anything else as it is."""
    if isinstance(error, OSError) and error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        _leave_output()
        _complain(f"what was to be written could not be: {error.strerror}. Make room there, or write to another place.")
        return typer.Exit(SurroundingsError.exit_code)
    if "db.engine" in sys.modules:  # without it no database was opened, and SQLAlchemy need not be loaded now
        from db.engine import storage_errors

        try:
            with storage_errors("the workspace's database"):
                raise error
        except StylesweepError as ours:
            _complain(str(ours))
            return typer.Exit(ours.exit_code)
        except Exception as same:
            return same
    return error


def _click_exit(error: Exception) -> int:
    """What typer's own exceptions mean; anything else is a bug of ours and keeps its traceback."""
    exit_code = getattr(error, "exit_code", None)
    show = getattr(error, "show", None)
    if isinstance(error, typer.Abort):  # what typer makes of Ctrl-C
        typer.echo(nl=sys.stderr.isatty(), err=True)  # a terminal shows ^C where the message would begin
        _complain("interrupted.")
        return Interrupted.exit_code
    if exit_code is None:
        raise error
    if callable(show):
        show()
        return InputError.exit_code
    return int(exit_code)


def _complain(message: str) -> None:
    typer.echo(f"stylesweep: {printable(message)}", err=True)

"""Running a command: from its words to an exit code, with one line on standard error where something is wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from cyclopts import CycloptsError
from cyclopts.exceptions import UnknownCommandError, UnusedCliTokensError

from bayescale.cli.app import app
from bayescale.cli.output import emit_json
from bayescale.cli.wording import for_the_shell
from bayescale.errors import BayescaleError, ConvergenceError, unknown

DONE, USER_ERROR, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class _Interrupted(BaseException):
    """Ctrl-C. Not a KeyboardInterrupt: the sampler takes that as a wish for the draws made so far."""


def main() -> NoReturn:
    """Run the command that the process was called with, and exit."""
    signal.signal(signal.SIGINT, _interrupt)
    sys.exit(run(sys.argv[1:]))


def run(tokens: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    tokens : sequence of str
        The words after ``bayescale``.

    Returns
    -------
    int
        0 done, 1 the user's to mend, 2 wrong usage, 3 a fit that did not converge, 10 a run to be stopped,
        130 interrupted.
    """
    try:
        found = app(
            list(tokens),
            exit_on_error=False,
            print_error=False,
            verbose=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except BayescaleError as error:
        if isinstance(error, ConvergenceError) and error.convergence and "--json" in tokens:
            emit_json({"error": for_the_shell(str(error)), "convergence": error.convergence})
        return _fail(str(error), error.exit_code)
    except CycloptsError as error:
        return _fail(_usage(error), WRONG_USAGE)
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        return _fail(f"cannot use{place}: {error.strerror or error}", USER_ERROR)
    except (KeyboardInterrupt, _Interrupted):
        return _fail("interrupted", INTERRUPTED)
    return found if isinstance(found, int) else DONE


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise _Interrupted


def _usage(error: CycloptsError) -> str:
    chain, at = error.command_chain or (), app
    for name in chain:
        at = at[name]
    command, known = " ".join(["bayescale", *chain]), [n for n in at if not n.startswith("-")]
    # Words after a group of commands that is none of them are left unused by what the group does alone.
    stray = isinstance(error, UnknownCommandError | UnusedCliTokensError)
    if stray and error.unused_tokens and known:
        return f"{unknown('command', error.unused_tokens[0], known)}; see {command} --help"
    return f"{str(error).rstrip(' .')}; see {command} --help"


def _fail(message: str, code: int) -> int:
    """Print the message as exactly one line, whatever line breaks it came with."""
    first, *rest = (line.strip() for line in for_the_shell(message).splitlines() if line.strip())
    said = f"{first} {'; '.join(rest)}".rstrip()
    print(f"bayescale: {said}", file=sys.stderr)
    return code

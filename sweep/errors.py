"""Every error that a user can cause, with the exit code it ends the command line with (docs/design.md, section 7).

    StylesweepError
    |-- InputError             2    a file, key or value of the user's is wrong
    |   |-- SpecError               the YAML: names file, key, value and what is allowed
    |   `-- ImageError              a picture that is missing, broken or unsafe to open
    |-- WorkspaceBusy          3    something that cannot share the workspace holds it
    |-- SurroundingsError      4    Ray, weights, disk or permissions failed
    |   |-- WeightsError            weights unreachable, or not the bytes that were expected
    |   `-- StorageError            the workspace cannot be written or read (full disk, permission, damage)
    `-- Interrupted          130    Ctrl-C or SIGTERM; what was running is queued again

Library code raises these; only the command line and the gallery's pages show them. Bugs (AssertionError, TypeError) are never
caught as one of these.
"""


class StylesweepError(Exception):
    """The message is a complete sentence for the user: what was wrong, where, and what to do."""

    exit_code = 1


class InputError(StylesweepError):
    """Something that the user gave is wrong."""

    exit_code = 2


class SpecError(InputError):
    """The sweep's YAML file is wrong; the message names file, key, value and what is allowed."""


class ImageError(InputError):
    """A picture is missing, broken, of an unknown format or unsafe to open."""


class WorkspaceBusy(StylesweepError):
    """The workspace is in use by something that cannot share it."""

    exit_code = 3


class SurroundingsError(StylesweepError):
    """Ray, the network, the disk or a permission failed; nothing in the user's input is wrong."""

    exit_code = 4


class WeightsError(SurroundingsError):
    """Network weights cannot be had, or are not the bytes that were expected."""


class StorageError(SurroundingsError):
    """The workspace cannot be read or written: disk full, no permission, or damage."""


class Interrupted(StylesweepError):
    """Ctrl-C or SIGTERM: the sweep stays resumable."""

    exit_code = 130

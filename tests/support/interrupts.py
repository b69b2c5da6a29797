"""Child processes that receive Ctrl-C, even if the shell that started the tests ignores it."""

import os
import signal
import subprocess


def popen(command, **options):
    """Start a command with pipes, as text; a background job of a script would hand its ignored SIGINT down."""
    posix = os.name != "nt"
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if posix else None,
        **options,
    )

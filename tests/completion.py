"""Completion in zsh as one types it: a terminal, keys, what stands there then. Usage: completion.py FOLDER-OF-FUNCTIONS FOLDER-OF-FILES
Prints a PASS or FAIL line for each."""

import os
import pty
import re
import select
import sys
import time

TYPED = {  # before the tabulator: behind it, without what the next key takes away
    "kiln tr": "kiln train",
    "kiln run b": "kiln run b.onnxtxt",
    "kiln train a.onnx --opt": "kiln train a.onnx --optimizer",
    "kiln train --optimizer=adamw:weight": "kiln train --optimizer=adamw:weight_decay",
    "kiln train --optimizer=sgd:momentum=.9,nest": "kiln train --optimizer=sgd:momentum=.9,nesterov",
    "kiln train --data npz": "kiln train --data npz:",
    "kiln train --data=csv:c": "kiln train --data=csv:c.csv",
    "kiln train --regularize=x=l1_": "kiln train --regularize=x=l1_l2",
    "kiln train --augment=horizontal_flip=1,rot": "kiln train --augment=horizontal_flip=1,rotation_range",
    "kiln train --save-best val_lo": "kiln train --save-best val_loss",
    "kiln adapt --batch=fr": "kiln adapt --batch=free",
    "kiln eval --normalize=st": "kiln eval --normalize=standardize",
    "kiln data --figure f": "kiln data --figure f.svg",
    "kiln train --checkpoint p": "kiln train --checkpoint pictures",
    "kiln figure --output x.svg with=c": "kiln figure --output x.svg with=c.csv",
}
LIMIT = 20  # seconds for an answer


class Shell:
    def __init__(self, functions, files):
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.chdir(files)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": files, "LANG": "C.UTF-8"})
        self.say(f"PS1=; unsetopt beep; fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; echo re''ady\r")
        self.until("^ready")

    def say(self, keys):
        os.write(self.terminal, keys.encode())

    def until(self, wanted):
        """The first match of a pattern in what is printed; None where there is none in time."""
        seen, end, match = "", time.monotonic() + LIMIT, None
        while not match and time.monotonic() < end:
            if select.select([self.terminal], [], [], 1)[0]:
                seen += os.read(self.terminal, 65536).decode(errors="replace")
                match = re.search(wanted, seen, re.MULTILINE)
        return match

    def complete(self, typed):
        self.say(typed)
        self.until(re.escape(typed))
        self.say("\t\x01echo '<\x05>'\r")  # the line becomes the argument of an echo
        match = self.until(r"^<(.*)>\r?\n")
        return match and match[1]


def main():
    shell = Shell(*sys.argv[1:3])
    failed = False
    for typed, wanted in TYPED.items():
        got = shell.complete(typed)
        failed |= got != wanted
        print(f"FAIL zsh '{typed}' becomes {got!r}, not {wanted!r}" if got != wanted else f"PASS zsh '{typed}'", flush=True)
    return failed


sys.exit(main())

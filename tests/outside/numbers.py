# SPDX-License-Identifier: MIT
"""Another thread closes the number of a descriptor that a call waits for, or is about to, and gives it to
another file: for each call of tests/help/fd_calls.h, which is the whole list (tests/checks/swept)."""

import subprocess

from outside import App


def play(outside):
    names = subprocess.run([outside.build / "outside/apps/numbers", "list"], capture_output=True, text=True, check=True)
    for _ in outside.rounds():
        drawn = outside.random.randrange(1 << 30)
        seed = outside.only.rsplit(" ", 1)[1] if outside.only else drawn
        apps = [App("numbers", name, str(seed)) for name in names.stdout.splitlines()]
        outside.try_all([(app, f"{app.args[0]} {seed}", {}) for app in outside.random.sample(apps, len(apps))])

# SPDX-License-Identifier: MIT
"""Jobs in processes, jobs on workers and children that do what no one should: an honest job beside them and
one after them have their answers, and nothing is left."""

import subprocess

from outside import App


class Hostile(App):
    keeps = 1  # the way to the fork server


def play(outside):
    names = subprocess.run([outside.build / "outside/apps/hostile", "list"], capture_output=True, text=True, check=True)
    apps = [Hostile("hostile", name) for name in names.stdout.splitlines()]
    for _ in outside.rounds():
        outside.try_all([(app, app.args[0], {}) for app in outside.random.sample(apps, len(apps))])

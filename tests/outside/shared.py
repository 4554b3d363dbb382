# SPDX-License-Identifier: MIT
"""Three processes with a run each on one descriptor, and a fourth that stops them, flips O_NONBLOCK and takes
what they wait for: a listener (prefork), a pipe that they read or write, a terminal."""

from outside import App

WAYS, KINDS = ("accept", "read", "write", "terminal"), ("foreign", "owned")


def play(outside):
    for _ in outside.rounds():
        seed = outside.random.randrange(1 << 30)
        apps = [App("shared", way, kind, str(seed)) for way in WAYS for kind in KINDS]
        outside.try_all([(app, " ".join(app.args), {}) for app in outside.random.sample(apps, len(apps))])

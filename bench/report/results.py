# SPDX-License-Identifier: MIT
"""A saved run of nido-bench (--save), as plots and report read it."""

import math


def median(series):
    """None for no number, or for one that is not above 0, as a difference may be: log scales cannot
    show it."""
    value = series["median"] if series else None
    return value if value and value > 0 else None


def three_digits(value):
    return f"{value:.{max(0, 2 - int(math.log10(value)))}f}" if value >= 1 else f"{value:.2f}"


class Bar:
    """One number: `kind` is nido, floor or peer; it is `times` nido's."""

    def __init__(self, label, value, kind, times=None):
        self.label, self.value, self.kind, self.times = label, value, kind, times


class Run:
    """What a run has measured; `cases` has the first metric of each, which is its main one."""

    def __init__(self, report):
        self.report = report
        self.machine = report["machine"]
        self.version = report["nido"]
        self.results = {result["case"]: result for result in report["results"]}
        self.cases = {name: r["metrics"][0] for name, r in self.results.items() if r["metrics"]}

    def caption(self):
        machine = self.machine
        return (
            f"nido {self.version} ({machine['commit']}), {machine['cpu']}, {machine['cpus']} CPUs, "
            f"{machine['kernel']}, {machine['compiler']}, {machine['date'][:10]}"
        )

    def times(self):
        """The cases in ns an operation; the others have pictures or units of their own."""
        return {
            name: metric
            for name, metric in self.cases.items()
            if metric["unit"].startswith("ns/") and median(metric["nido"])
        }

    def bars(self, name):
        """nido, the floor and each peer that gave a number; the best of them on top."""
        return bars_of(self.cases[name])

    def with_peers(self):
        """Memory has a picture of its own."""
        return [
            name
            for name, metric in self.cases.items()
            if metric["peers"] and not name.startswith("memory_")
        ]


def bars_of(metric):
    ratio = metric["ratio"]
    bars = [
        Bar("nido", median(metric["nido"]), "nido"),
        Bar("floor", median(metric["floor"]), "floor", 1 / ratio if ratio else None),
    ]
    for peer in metric["peers"]:
        if peer["outcome"] == "measured":
            label = f"{peer['peer']} {peer['version']}"
            bars.append(Bar(label, median(peer["result"]), "peer", peer["to_nido"]))
    bars = [bar for bar in bars if bar.value]
    return sorted(bars, key=lambda bar: bar.value, reverse=metric["more_is_better"])

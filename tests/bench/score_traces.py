#!/usr/bin/env python3
"""Correlation of traces and events with the truth of a simulated movie.

    score_traces.py RESULT MOVIE [RESULT MOVIE ...]

RESULT: a folder of `neuroset segment`; MOVIE: a folder with regions.json and truth.npz (ids, trace, dff, spikes,
rate). Each true cell in turn takes the nearest found one still free within 5 pixels, by centres. Printed: the medians
over the matched cells that fired and that are labelled active. numpy only.
"""
import json
import os
import sys

import numpy as np


def correlation(x, y):
    x, y = x - x.mean(), y - y.mean()
    norm = np.sqrt((x * x).sum() * (y * y).sum())
    return (x * y).sum() / norm if norm > 0 else 0.0


def binned(x, n):
    return x[: len(x) // n * n].reshape(-1, n).sum(1)


def matches(found, truth):
    centres = np.array([np.mean(r["coordinates"], 0) for r in found]).reshape(-1, 2)
    free = np.ones(len(found), bool)
    for i, region in enumerate(truth):
        d = np.where(free, np.hypot(*(centres - np.mean(region["coordinates"], 0)).T), np.inf)
        if free.any() and d.min() < 5:
            free[d.argmin()] = False
            yield i, int(d.argmin())


def main():
    rows = []
    for result, movie in zip(sys.argv[1::2], sys.argv[2::2]):
        found = json.load(open(os.path.join(result, "rois.json")))
        truth = json.load(open(os.path.join(movie, "regions.json")))
        t, z = np.load(os.path.join(result, "traces.npz")), np.load(os.path.join(movie, "truth.npz"))
        bins = [max(1, round(seconds * float(z["rate"]))) for seconds in (0.25, 0.5)]
        for i, k in matches(found, truth):
            spikes = z["spikes"][i].astype(float)
            if spikes.any():
                rows.append([truth[i]["active"], correlation(t["corrected"][k], z["trace"][i])]
                            + [correlation(t[name][k], z["dff"][i]) for name in ("dff", "fit")]
                            + [correlation(binned(t["events"][k], n), binned(spikes, n)) for n in bins])
    rows = np.array(rows, float).reshape(-1, 6)
    for name, some in (("fired", rows), ("active", rows[rows[:, 0] > 0])):
        if len(some):
            print("%-6s %3d cells: corrected %.3f  dff %.3f  fit %.3f  events .25 s %.3f  .5 s %.3f"
                  % ((name, len(some)) + tuple(np.median(some[:, 1:], 0))))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Which true units a sorting lost, and how: not found, merged, split, low recall or low precision.

    lost_units.py SORTED TRUTH [SORTED TRUTH ...]      result folders of `neuroset sort` and truth.npz of the same recording

A row a unit whose accuracy is below .8 and, at the end, the counts. Spikes agree within 0.4 ms. A unit is
  found        a sorted unit agrees with it by more than half; what it lacks is recall or precision
  merged       a sorted unit holds most of its spikes and as many of others
  split        its spikes are pure in several sorted units, none of which agrees by half
  not found    no sorted unit holds a fifth of its spikes
  in part      what is left: pure units hold a part of it
"""
import os, sys
import numpy as np


def load(path):
    f = np.load(os.path.join(path, 'spikes.npz') if os.path.isdir(path) else path)
    t, l = f['spike_indexes_seg0'], f['spike_labels_seg0']
    snr = dict(zip(f['unit_ids'], f['snr'])) if 'snr' in f else {}
    return {u: np.sort(t[l == u]) for u in f['unit_ids']}, float(f['sampling_frequency'][0]), snr


def coincident(a, b, most):
    """How many of a have one of b within most samples."""
    if not len(a) or not len(b):
        return 0
    p = np.searchsorted(b, a)
    return int((np.minimum(abs(b[np.clip(p, 0, len(b) - 1)] - a), abs(b[np.clip(p - 1, 0, len(b) - 1)] - a)) <= most).sum())


def kind(true, found, most):
    hits = {u: coincident(true, t, most) for u, t in found.items()}
    agreement = {u: h / (len(true) + len(found[u]) - h) for u, h in hits.items()}
    best = max(hits, key=lambda u: (agreement[u], hits[u]), default=None)
    if best is None or max(hits.values()) < .2 * len(true):
        return 'not found', 0, 0, 0
    recall, precision, a = hits[best] / len(true), hits[best] / len(found[best]), agreement[best]
    if a >= .5:
        return ('well' if a >= .8 else 'low recall' if recall < precision else 'low precision'), a, recall, precision
    if any(h > .6 * len(true) and h < .6 * len(found[u]) for u, h in hits.items()):
        return 'merged', a, recall, precision
    pure = sum(h for u, h in hits.items() if h > .8 * len(found[u]))
    return ('split' if pure > .6 * len(true) else 'in part'), a, recall, precision


def main():
    counts, pairs = {}, sys.argv[1:]
    if not pairs or len(pairs) % 2 or pairs[0] in ('-h', '--help'):
        sys.exit(__doc__)
    for folder, truth in zip(pairs[::2], pairs[1::2]):
        (found, rate, _), (true, _, snr) = load(folder), load(truth)
        for u, t in true.items():
            k, a, recall, precision = kind(t, found, int(.0004 * rate))
            counts.setdefault(k, []).append(snr.get(u, np.nan))
            if k != 'well':
                print('%s unit %s SNR %.1f, %d spikes: %s (accuracy %.2f, recall %.2f, precision %.2f)'
                      % (os.path.basename(truth), u, snr.get(u, np.nan), len(t), k, a, recall, precision))
    for k, s in sorted(counts.items(), key=lambda q: -len(q[1])):
        print('%-14s %4d   SNR %.1f (%.1f-%.1f)' % (k, len(s), np.median(s), np.min(s), np.max(s)))


if __name__ == '__main__':
    main()

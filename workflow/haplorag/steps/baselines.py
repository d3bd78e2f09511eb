"""Writes what simple methods say at the hidden sites of the test people: frequency, nearest haplotype, neighbours' vote."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag import command, store
from haplorag.metrics import copy_nearest
from haplorag.windowing import open_shards, read_windows

log = logging.getLogger(__name__)
METHODS = ["allele_frequency", "nearest_haplotype", "neighbour_vote"]


def baselines(
    frequencies: Path, windows: Path, masks: Path, neighbours: Path, shards: Path, output: Path, *, vote_neighbours: int
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2] for the methods named; NaN where nothing is hidden.

    The allele frequency is that of the reference; the nearest haplotype is the retrieved one with fewest mismatches over
    the window's typed sites; the vote is the mean over the nearest `vote_neighbours`. Beside them, `carriers` float16
    [mask, person, site, 2] is the share of all neighbours that carry ALT.
    """
    frequency = store.read_arrays(frequencies, "frequencies", "frequency")["frequency"]
    cut, packed, drawn = read_windows(windows), open_shards(shards), store.read_arrays(masks, "masks")
    found = store.read_arrays(neighbours, "neighbours")
    people = np.unique(found["person"])
    shape = (len(METHODS), len(drawn["names"]), len(people), len(frequency), 2)
    with store.creating_arrays(output, "predictions") as file:
        store.put_predictions(file, METHODS, drawn["names"].tolist(), people, shape)
        store.put_shares(file, "carriers", shape[1:])
        for window in command.show_progress(range(len(cut)), "windows"):
            start, stop = cut.cores[window]
            core = packed.haplotypes(np.arange(start, stop))
            for mask in range(shape[1]):
                items = np.flatnonzero((found["window"] == window) & (found["mask"] == mask))
                alleles = core[np.maximum(found["ids"][items].reshape(2 * len(items), -1), 0)]
                distances = found["distances"][items].reshape(2 * len(items), -1)
                says = np.empty((len(METHODS), 2 * len(items), stop - start), dtype=np.float32)
                says[0] = frequency[start:stop]
                says[1] = copy_nearest(alleles, distances, 1)
                says[2] = copy_nearest(alleles, distances, vote_neighbours)
                says[:, :, ~drawn["hidden"][mask][start:stop]] = np.nan
                by_person = says.reshape(len(METHODS), len(items), 2, -1).swapaxes(2, 3)
                file["probability"][:, mask, :, start:stop] = by_person
                carriers = np.where(np.isnan(says[0]), np.nan, alleles.mean(axis=1, dtype=np.float32))
                file["carriers"][mask, :, start:stop] = carriers.reshape(len(items), 2, -1).swapaxes(1, 2)
    log.info("%d people, %d masks, %s", len(people), shape[1], ", ".join(METHODS))


if __name__ == "__main__":
    command.run(baselines)

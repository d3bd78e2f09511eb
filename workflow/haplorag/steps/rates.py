"""Estimates how haplotypes copy the panel where the sites of each mask of a draw are typed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import read_arrays
from haplorag.io.provenance import check_provenance, describe_provenance
from haplorag.li_stephens.estimation import estimate_model
from haplorag.li_stephens.model_store import write_models
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import CorePasses
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.windows import read_windows
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.seeding import seed_of
from haplorag.settings import RateSettings

log = logging.getLogger(__name__)


def rates(
    windows: Path,
    masks: Path,
    shards: Path,
    output: Path,
    *,
    settings: RateSettings,
    chromosome: str,
    seed: int,
    threads: int = 1,
) -> None:
    """Write, for each mask, expected switches float64 [mask, site] from the first site on, and
    chances of a mismatch float32 [mask, site].

    Where a site is hidden, or nothing is estimated, they are those that the settings assume.
    """
    check_provenance(("windows", windows), ("masks", masks), ("shards", shards))
    centimorgan = read_windows(windows).centimorgan
    panel = open_shards(shards)
    arrays = read_arrays(masks, "masks")
    passes = CorePasses(count_threads(threads))
    models = {}
    for name, hidden in zip(arrays["names"].tolist(), arrays["hidden"], strict=True):
        typed = np.flatnonzero(~hidden)
        own_seed = seed_of(seed, "rates", chromosome)
        models[name] = estimate_model(
            panel, typed, centimorgan, settings, own_seed, passes.expect_events
        )
        log.info("%s: %s", name, _describe(models[name], typed, centimorgan))
    # Not of the masks: epochs, which have their own, are traced with what validation estimates.
    write_models(output, models, describe_provenance(("windows", windows), ("shards", shards)))


def _describe(model: CopyingModel, typed: np.ndarray, centimorgan: np.ndarray) -> str:
    if len(typed) < 2:
        return "nothing to estimate from"
    low, middle, high = np.quantile(model.mismatch[typed], [0.1, 0.5, 0.9])
    switches = np.ptp(model.distance[typed]) / max(np.ptp(centimorgan[typed]), 1e-9)
    return (
        f"{len(typed)} sites typed, {switches:.2f} switches a cM, "
        f"mismatch {low:.4f} to {high:.4f}, median {middle:.4f}"
    )


if __name__ == "__main__":
    run_step(rates)

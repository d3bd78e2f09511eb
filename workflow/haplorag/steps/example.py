"""Draws a region of a test person: who is copied from where, and an imputed rare allele."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from haplorag.evaluation.example import RareAllele, choose_rare_alleles
from haplorag.io.atomic import replacing
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.provenance import check_provenance
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.model import run_forward_backward
from haplorag.li_stephens.model_store import read_models
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.panel.frequencies import read_frequencies
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import ShardSet, open_shards
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.report.axes import save_svg, say_instead
from haplorag.report.example_figure import CopiedRegion, draw_example
from haplorag.seeding import seed_of

log = logging.getLogger(__name__)
# Alleles rarer than this are shown; typed sites in view on each side; haplotypes shown at the most.
RARE, TYPED_BESIDE, MOST_SHOWN = 0.01, 60, 5


class Query(NamedTuple):
    """A test haplotype: its alleles int8 [S], which sites are hidden from the model, bool [S], its
    super-population, and the rare allele that it is shown for.
    """

    alleles: np.ndarray
    hidden: np.ndarray
    population: str
    rare: RareAllele


def example(
    output: Path,
    *,
    samples: Path,
    genotypes: Path,
    frequencies: Path,
    masks: Path,
    rates: Path,
    shards: Path,
    chromosome: str,
    mask: str,
    seed: int,
) -> None:
    """Write the figure as SVG, without a name of anybody.

    Of some hidden rare alleles near the middle of the chromosome, which a test person carries and
    somebody in the reference too, the one is shown whose haplotype switches most often in view;
    what was imputed plays no part in the choice.
    """
    panel = ("samples", samples), ("genotypes", genotypes), ("frequencies", frequencies)
    check_provenance(*panel, ("masks", masks), ("rates", rates))
    people = read_samples(samples)
    rows = find_samples(people, "test")
    stored = read_arrays(masks, "masks")
    hidden = stored["hidden"][stored["names"].tolist().index(mask)]
    with opening_arrays(genotypes, "genotypes") as file:
        position = file["variants/POS"][:]
        truth = read_haplotypes(file, np.arange(len(position)), rows)
    frequency = read_frequencies(frequencies).frequency
    by_person = people["super_population"].to_numpy()
    reference = by_person[find_samples(people, "reference")]
    model, panel_shards = read_models(rates)[mask], open_shards(shards)
    regions = []
    for rare in choose_rare_alleles(truth, frequency, hidden, RARE, seed_of(seed, "example")):
        population = by_person[rows[rare.haplotype // 2]]
        query = Query(truth[rare.haplotype], hidden, population, rare)
        regions.append(_trace_region(query, panel_shards, model, position, reference))
    figure = say_instead("no test person carries a rare allele that is hidden")
    if regions:
        shown = max(regions, key=lambda region: int((np.diff(region.copied) != 0).sum()))
        figure = draw_example(shown, chromosome)
    with replacing(output) as temporary:
        save_svg(figure, temporary)
    log.info("%s: mask %s, %d test people", output, mask, len(rows))


def _trace_region(
    query: Query,
    shards: ShardSet,
    model: CopyingModel,
    position: np.ndarray,
    reference: np.ndarray,
) -> CopiedRegion:
    """Follow the query through the panel as an imputation does, and keep what lies in view.

    `reference` has the super-population of each reference person.
    """
    view = _choose_view(query.hidden, query.rare.site)
    # Where men on X have one haplotype others are numbered than at its ends.
    stretch = shards.ploidy.find_stretch(np.array([query.rare.site]))[0]
    view = view[shards.ploidy.find_stretch(view) == stretch]
    rows = shards.ploidy.number_rows(stretch)
    typed = np.flatnonzero(~query.hidden)
    panel = cut_segments(shards, typed, view, model.distance)
    everybody = np.arange(rows[-1])[None]
    queries = Queries(query.alleles[None, typed], np.array([-1]))
    traced = run_forward_backward(queries, panel, model, ids=everybody)
    copying = traced.posterior[0].mean(axis=0)[panel.groups.of_site]
    shown = _choose_shown(copying)
    site = int(np.searchsorted(view, query.rare.site))
    at_site = shards.haplotypes(view[[site]])[:, 0]
    owner = np.searchsorted(rows, shown, side="right") - 1
    chance = float(traced.alternate[0, :, site].mean())
    return CopiedRegion(
        position=position[view],
        typed=~query.hidden[view],
        query=query.alleles[view],
        posterior=copying[:, shown],
        alleles=shards.haplotypes(view, shown).T,
        query_label=f"query ({query.population})",
        labels=[f"reference ({population})" for population in reference[owner]],
        site=site,
        minor=query.rare.minor,
        probability=chance if query.rare.minor else 1 - chance,
        carriers=int((at_site == query.rare.minor).sum()),
    )


def _choose_view(hidden: np.ndarray, site: int) -> np.ndarray:
    """All sites int [S] from some typed sites before a site to as many behind it."""
    typed = np.flatnonzero(~hidden)
    middle = int(np.searchsorted(typed, site))
    near = [site, *typed[max(0, middle - TYPED_BESIDE) : middle + TYPED_BESIDE].tolist()]
    return np.arange(min(near), max(near) + 1)


def _choose_shown(copying: np.ndarray) -> np.ndarray:
    """The haplotypes of most weight, int64 [K], in the order in which they are copied.

    `copying` float [S, N] is the probability of copying each at each site.
    """
    heaviest = np.argsort(-copying.sum(axis=0), kind="stable")[:MOST_SHOWN]
    places = np.arange(len(copying)) @ copying[:, heaviest] / copying[:, heaviest].sum(axis=0)
    return heaviest[np.argsort(places, kind="stable")]


if __name__ == "__main__":
    run_step(example)

"""What each figure of the report shows and how to read it."""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """What a figure is called, and how to read it."""

    title: str
    text: str


CAPTIONS = {
    "accuracy": Caption(
        "Unexplained variance by allele frequency",
        "1 - mean dosage r2 at hidden sites of held-out people, on a log scale, by frequency of "
        "the rarer allele among reference people; one panel for each way of hiding sites. Lower "
        "is better. Whiskers are 95 % confidence intervals over people; two methods are better "
        "compared in the next figure.",
    ),
    "differences": Caption(
        "Differences between methods",
        "Mean dosage r2 minus that of the method named beside each panel: the best other tool, or "
        "Li and Stephens where no other tool was run. Above zero is better. Whiskers are "
        "95 % confidence intervals of the difference itself, both methods judged in the same "
        "resampled people; where they include zero the two cannot be told apart.",
    ),
    "populations": Caption(
        "Difference by super-population",
        "As above, over all hidden sites, in the held-out people of each super-population.",
    ),
    "along": Caption(
        "Along the chromosome",
        "At the first mask, in equal stretches of the chromosome. Above: what the reference "
        "method leaves unexplained; a peak is a hard stretch (a recombination hotspot, few typed "
        "sites). Below: how much better or worse the other methods do there, with 95 % intervals "
        "of the difference.",
    ),
    "calibration": Caption(
        "Calibration",
        "Above: how often an allele predicted to be ALT with some probability is ALT. Points on "
        "the diagonal mean that probabilities can be taken at their word; below it they promise "
        "too much. Bins of fewer than 50 alleles are left out. Below: how many alleles each bin "
        "holds; most predictions are nearly certain.",
    ),
    "costs": Caption(
        "Accuracy and costs",
        "A row for each method: what it leaves unexplained at rare sites (mean over masks), the "
        "wall time of its jobs for the test people under all masks, and the peak memory of their "
        "largest process. Left is better in all three. Time and memory, below, lists what is "
        "counted for each method.",
    ),
    "recall": Caption(
        "Alleles that retrieval misses",
        "Share of the minor alleles hidden in test people that none of their retrieved haplotypes "
        "carries: what a network that only copies from these cannot find. Where it is high, more "
        "neighbours or finer segments are the remedy. Where nothing is missed there is no point.",
    ),
    "learning": Caption(
        "Learning",
        "Validation loss per hidden allele, and mean r2 over frequency bins, after each epoch; "
        "epoch 0 is before any training. The filled point is the epoch whose weights are used. "
        "Falling loss means learning; a rising end means that training went on for too long, "
        "which early stopping undoes.",
    ),
    "masks": Caption(
        "What the masks hide",
        "Share of sites that each mask hides, by frequency class, as the masks were used: those of "
        "the test and, where a network is trained, of training (the mean over epochs) and of "
        "validation. An array leaves common sites only; a random mask hides all classes alike.",
    ),
    "resources": Caption(
        "Time and memory by rule",
        "Wall time of each rule, summed over its jobs, and peak memory of the largest process of a "
        "job, on the machine of this run.",
    ),
}

EXAMPLE = Caption(
    "One region of one haplotype",
    "At the top a haplotype of a test person (the query), coloured by the reference haplotype that "
    "it most probably copies in Li and Stephens' model, with a line where that changes. Below it "
    "the reference haplotypes with the largest posterior weight; the stronger the colour, the more "
    "probably they are copied there. Dots are ALT alleles at typed sites, rings are alleles that "
    "differ from the query's. The star marks a rare allele that was hidden in the query; the "
    "evidence for it is which of the copied haplotypes carry it. Of twelve such alleles near the "
    "middle of the chromosome the one is shown whose haplotype switches most often, whatever was "
    "imputed.",
)

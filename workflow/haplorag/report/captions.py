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
        "Difference to the best other tool",
        "Mean dosage r2 minus that of the method named above each panel: the best other tool, or "
        "Li and Stephens' model where no other tool was run. Above zero is better. Whiskers are "
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
        "time its jobs took for the test people under all masks, and their peak memory. Left is "
        "better in all three. What is counted for each method stands under Time and memory.",
    ),
    "recall": Caption(
        "Alleles that retrieval misses",
        "Share of the minor alleles hidden in test people that none of their retrieved haplotypes "
        "carries: what a network that only copies from these cannot find. Where it is high, more "
        "neighbours or finer segments are the remedy.",
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
        "Share of sites that each mask hides, by frequency class: the fixed draws and the mean "
        "over training epochs. An array leaves common sites only; a random mask hides all "
        "classes alike. These are the masks that were used, not those that were asked for.",
    ),
    "resources": Caption(
        "Time and memory by rule",
        "Wall time and peak memory of each rule, summed and maximised over its jobs on this "
        "machine.",
    ),
}

EXAMPLE = Caption(
    "One region of one haplotype",
    "Above, a haplotype of a test person, coloured by the reference haplotype that Li and "
    "Stephens' model most probably copies, with a line at each switch. Below, the haplotypes of "
    "most weight, the stronger the more probably they are copied. Dots are ALT at typed sites, "
    "rings where a haplotype differs from the query. The star marks a rare allele that was hidden; "
    "its evidence is who carries it among those that are copied there. Of twelve such alleles near "
    "the middle of the chromosome the one is shown whose haplotype switches most often, whatever "
    "was imputed.",
)

"""What each figure of the report shows and how to read it."""

from __future__ import annotations

CAPTIONS = {
    "accuracy": (
        "Mean dosage r2 at hidden sites of held-out people, by frequency of the rarer allele "
        "among reference people, one panel for each way of hiding sites. Higher is better; "
        "whiskers are 95 % confidence intervals over people. A good imputer stays high on the "
        "left, where alleles are rare."
    ),
    "learning": (
        "Validation loss per hidden allele, and mean r2 over frequency bins, after each epoch; "
        "epoch 0 is before any training. The filled point is the epoch whose weights are used. "
        "Falling loss means learning; a rising end means that training went on for too long, "
        "which early stopping undoes."
    ),
    "calibration": (
        "How often an allele predicted to be ALT with some probability is ALT. Points on the "
        "diagonal mean that probabilities can be taken at their word; below it they promise too "
        "much. Bins with fewer than 50 alleles are left out."
    ),
    "populations": (
        "Mean dosage r2 over all polymorphic hidden sites by super-population of the held-out "
        "people. Populations with few relatives in the panel are harder; whiskers are 95 % "
        "confidence intervals over people."
    ),
    "masks": (
        "Share of sites that each mask hides, by frequency class: the fixed draws and the mean "
        "over training epochs. An array leaves common sites only; a random mask hides all "
        "classes alike. What is seen here is what was computed with."
    ),
    "recall": (
        "Share of the minor alleles hidden in test people that at least one of their retrieved "
        "haplotypes carries: what no network that copies can exceed. Where a bar is low, more "
        "neighbours or finer segments are the remedy."
    ),
    "costs": (
        "Mean dosage r2 at rare sites, over all masks, beside the time and the memory that "
        "imputing the test people took on this machine. Better is up and to the left. Nothing "
        "is shown before the methods were measured."
    ),
    "along": (
        "Mean dosage r2 along the chromosome at the first mask of the list. A dip shared by all "
        "methods is a hard stretch (recombination hotspot, few typed sites); a dip of one "
        "method alone is that method's fault."
    ),
    "resources": (
        "Wall time and peak memory of each rule, summed and maximised over its jobs on this "
        "machine."
    ),
}

"""Is imputing a VCF faster than with Beagle and Minimac4, and how accurate is each on the same
people and sites?

    PYTHONPATH=workflow python benchmarks/imputation.py --results results --mask array

Takes a run's test people with a mask's sites removed as the target, and its reference people as the
panel: our imputer of those is made by `snakemake
results/reference/imputer/li_stephens/imputer.json`. Wall time is that of the whole command, reading
the panel and writing the compressed VCF in it; Minimac4's panel is prepared beforehand, as ours is.
A table with the time, the peak memory and the mean dosage r2 by MAF bin of each; exits 1 where a
goal is missed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from goals import ROOT, judge, measure, surroundings
from haplorag.errors import InputError
from haplorag.evaluation.metrics import dosage_r2_by_site, group_by_maf, is_maf_bin
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.samples import find_samples, read_samples
from haplorag.settings import PANEL_ONLY
from haplorag.vcf.dosages import read_imputed

PEERS = ("beagle", "minimac4")


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder of a run"
    )
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--mask", default="array", help="name of a test mask")
    parser.add_argument(
        "--models", nargs="+", default=[PANEL_ONLY], help="imputers of the run, by their model"
    )
    parser.add_argument("--map", type=Path, help="genetic map for the peers, in PLINK form")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gpus", type=int, default=0, help="1 lets our network use a GPU")
    given = parser.parse_args()
    for tool in PEERS:
        if not shutil.which(tool):
            parser.error(f"{tool} is not installed; get it with: apt-get install {tool}")
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        try:
            facts = read_case(given.results, given.chromosome, given.mask)
            commands, outputs = prepare(given, Path(folder), config)
        except (InputError, OSError, ValueError) as error:
            parser.error(f"{error}; --results, --chromosome and --mask name a run that is complete")
        names = [f"p{person}" for person in facts["people"]]
        seconds, rows = {}, {}
        hidden = facts["hidden"]
        for tool, command in commands.items():
            seconds[tool], cpu, peak = measure(command)
            said = np.broadcast_to(
                facts["frequency"][None, :, None], (len(names), len(hidden), 2)
            ).copy()
            found = read_imputed(outputs[tool], given.chromosome, facts["sites"], names, said)
            if (hidden & ~found).any():
                print(
                    f"{tool} leaves out {(hidden & ~found).sum()} of {hidden.sum()} hidden sites",
                    file=sys.stderr,
                )
            r2 = dosage_r2_by_site(
                said[:, hidden].sum(axis=2), facts["truth"][:, hidden].sum(axis=2)
            )
            bins = [np.nanmean(r2[members]) for members in facts["groups"]]
            rows[tool] = [
                seconds[tool],
                cpu,
                peak / 1e6,
                hidden.sum() * len(names) / seconds[tool],
                *bins,
            ]
    print(
        f"{len(names)} people, {hidden.sum():,} of {len(hidden):,} sites hidden ({given.mask}), "
        f"{given.threads} threads\n"
    )
    edges = config["evaluation"]["maf_bins"]
    print(
        f"{'tool':14}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'genotypes/s':>13}  mean r2 by MAF "
        f"bin {edges}"
    )
    for tool, (wall, cpu, peak, pace, *bins) in rows.items():
        print(
            f"{tool:14}{wall:9.1f}{cpu:9.1f}{peak:9.0f}{pace:13,.0f}  "
            + " ".join(f"{value:.4f}" for value in bins)
        )
    print()
    met = judge_all(rows, given.models[-1])
    sys.exit(0 if met else 1)


def judge_all(rows: dict[str, list[float]], ours: str) -> bool:
    """Print the goals of one of our models; whether all are met."""
    _, cpu, peak, _, *bins = rows[ours]
    _, beagle_cpu, beagle_peak, _, *_ = rows["beagle"]
    best = np.max([rows[tool][4:] for tool in PEERS], axis=0)
    return all(
        [
            judge(f"CPU of {ours} beside Beagle", cpu / beagle_cpu, "at most", 1.5, "x"),
            judge(f"peak memory of {ours} beside Beagle", peak / beagle_peak, "below", 1, "x"),
            judge(f"least r2 of {ours} above the best peer's", min(bins - best), "above", 0),
        ]
    )


def read_case(results: Path, chromosome: str, mask: str) -> dict:
    """Test people, their true alleles int8 [n, site, 2], hidden sites bool [site], frequencies,
    sites by key, MAF bins.
    """
    people = find_samples(read_samples(results / "samples/samples.tsv"), "test")
    drawn = read_arrays(results / f"masks/test/{mask}/{chromosome}.h5", "masks")
    frequency = read_arrays(results / f"frequencies/{chromosome}.h5", "frequencies", "frequency")[
        "frequency"
    ]
    path = results / f"genotypes/{chromosome}.h5"
    keys = read_arrays(path, "genotypes", "variants/POS", "variants/REF", "variants/ALT").values()
    (hidden,) = drawn["hidden"]
    with opening_arrays(path, "genotypes") as file:
        truth = (
            read_haplotypes(file, np.arange(len(frequency)), people)
            .reshape(len(people), 2, -1)
            .swapaxes(1, 2)
        )
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())["evaluation"]
    names, groups = group_by_maf(frequency[hidden], settings["maf_bins"], settings["rare_maf"])
    sites = {
        key: row for row, key in enumerate(zip(*(values.tolist() for values in keys), strict=True))
    }
    bins = groups[[is_maf_bin(name) for name in names]]
    return {
        "people": people,
        "truth": truth,
        "hidden": hidden,
        "frequency": frequency,
        "sites": sites,
        "groups": bins,
    }


def prepare(
    given: argparse.Namespace, folder: Path, config: dict
) -> tuple[dict[str, list[str]], dict[str, Path]]:
    """Write the panel and the target, and give each tool's command and where its output comes to
    lie.
    """
    run, step = given.results, [sys.executable, "-m"]
    masks = run / f"masks/test/{given.mask}/{given.chromosome}.h5"
    reference, target = folder / "reference.vcf.gz", folder / f"{given.mask}.vcf.gz"
    inputs = run / f"genotypes/{given.chromosome}.h5", run / "samples/samples.tsv"
    exports = [*step, "haplorag.steps.exports", *inputs, "--chromosome", given.chromosome]
    call([*exports, reference, "--role", "reference"])
    call([*exports, target, "--role", "test", "--masks", masks])
    panel = folder / "reference.msav"
    call(["minimac4", "--compress-reference", reference, "-o", panel])
    outputs = {tool: folder / f"{tool}.vcf.gz" for tool in (*given.models, *PEERS)}
    threads = str(given.threads)
    ours = {}
    for name in given.models:
        words = [
            *step,
            "haplorag.steps.imputation",
            run / "reference/imputer" / name,
            target,
            outputs[name],
            folder / "sites.tsv",
        ]
        settings = json.dumps(config["imputation"])
        ours[name] = [
            *words,
            "--settings",
            settings,
            "--threads",
            threads,
            "--gpus",
            str(given.gpus),
        ]
    beagle = [
        f"gt={target}",
        f"ref={reference}",
        f"out={folder}/beagle",
        "ap=true",
        f"nthreads={threads}",
    ]
    minimac = [panel, target, "-o", outputs["minimac4"], "-O", "vcf.gz", "-f", "HDS", "-t", threads]
    commands = {
        **ours,
        "beagle": ["beagle", *beagle, *([f"map={given.map}"] if given.map else [])],
        "minimac4": ["minimac4", *minimac, *(["--map", given.map] if given.map else [])],
    }
    return {tool: [str(word) for word in command] for tool, command in commands.items()}, outputs


def call(words: list) -> None:
    """Run a command that is not measured. Raises ValueError with what it said where it fails."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, env=surroundings()
    )
    if done.returncode:
        raise ValueError(done.stderr[-1000:])


if __name__ == "__main__":
    main()

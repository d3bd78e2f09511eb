"""Is our conversion of a phased VCF faster than that of other tools, and are its files and its
memory small?

    python benchmarks/conversion.py --vcf FILE --people PANEL --peers-python PATH

Ours and its peers run in turn, three times each; a figure is the least CPU time (user + system) of
a whole process with its start. `--peers-python` names the interpreter with scikit-allel and
bio2zarr (`pip install scikit-allel 'bio2zarr[vcf]'`); bcftools must be on the path. Two halves of
the file, converted at once by a process each, bound what splitting a chromosome could gain. Exits 1
where a goal is missed, 2 where something is lacking.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from goals import ROOT, count_bytes, judge, measure

# Nothing of haplorag is imported: a child's peak memory starts at that of the process that started
# it.
STEP = (sys.executable, "-m")
ALLEL = "import sys, allel; allel.vcf_to_hdf5(sys.argv[1], sys.argv[2], overwrite=True)"
BIO2ZARR = "from bio2zarr.cli import vcf2zarr_main; vcf2zarr_main()"
# The panel that the earlier systems were built for.
SITES, HAPLOTYPES = 150_508, 2_008


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--vcf",
        type=Path,
        default=ROOT / "results/demo/1.vcf.gz",
        help="phased VCF of one chromosome",
    )
    parser.add_argument(
        "--people",
        type=Path,
        default=ROOT / "results/demo/panel.tsv",
        help="1000 Genomes panel file",
    )
    parser.add_argument(
        "--peers-python", default=sys.executable, help="interpreter with scikit-allel and bio2zarr"
    )
    arguments = parser.parse_args()
    check_inputs(arguments)
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        commands = list_commands(arguments, Path(folder), config)
        best, peak = measure_all(commands)
        whole, halves = measure_halves(commands["ours"], arguments.vcf, Path(folder))
        store = Path(folder) / "ours.h5"
        shards = pack_shards(store, Path(folder), find_chromosome(arguments.vcf), config)
        files = {
            "VCF": arguments.vcf,
            "our store": store,
            "our shards": shards,
            "scikit-allel": Path(folder) / "allel.h5",
        }
        sizes = {
            name: count_bytes(path)
            for name, path in {**files, "bio2zarr": Path(folder) / "bio2zarr.zarr"}.items()
        }
        sites, haplotypes = read_shape(store, shards)
    print_tables(best, peak, sizes)
    shards_mb = sizes["our shards"] / 1e6 * SITES / sites * HAPLOTYPES / haplotypes
    print(
        f"shards: {sites:,} sites x {haplotypes:,} haplotypes; extrapolated to {SITES:,} x "
        f"{HAPLOTYPES:,} in proportion\n"
    )
    print(
        f"{whole:.2f} s for the whole file, {halves:.2f} s for its halves at once, each to a "
        "store of its own: no split of a "
        f"chromosome between two workers can be {whole / halves:.2f} times as fast\n"
    )
    goals = [
        ("faster than scikit-allel", best["scikit-allel"] / best["ours"], "at least", 1.8, "x"),
        ("faster than bio2zarr", best["bio2zarr"] / best["ours"], "at least", 5, "x"),
        ("time of bcftools", best["ours"] / best["bcftools"], "at most", 2.4, "x"),
        ("peak memory", peak["ours"] / 1e6, "below", 600, " MB"),
        ("store to VCF", sizes["our store"] / sizes["VCF"], "at most", 1, "x"),
        ("extrapolated shards", shards_mb, "below", 200, " MB"),
    ]
    sys.exit(1 if sum(not judge(*goal) for goal in goals) else 0)


def check_inputs(arguments: argparse.Namespace) -> None:
    """Stop with status 2 and a way out where a file or a peer is lacking."""
    for path in (arguments.vcf, arguments.people):
        if not path.exists():
            stop(
                f"{path}: no such file; run `snakemake --cores 2` for the demo, or name --vcf "
                "and --people"
            )
    if not shutil.which("bcftools"):
        stop("bcftools is not on the path; get it with: apt-get install bcftools")
    for module, package in (("allel", "scikit-allel"), ("bio2zarr.vcf, cyvcf2", "'bio2zarr[vcf]'")):
        if subprocess.run(
            [arguments.peers_python, "-c", f"import {module}"], capture_output=True
        ).returncode:
            stop(
                f"{arguments.peers_python} has no {package}; get it with: "
                f"{arguments.peers_python} -m pip install {package}"
            )


def stop(message: str) -> None:
    """Say what is lacking and exit with status 2."""
    print(message, file=sys.stderr)
    sys.exit(2)


def list_commands(
    arguments: argparse.Namespace, folder: Path, config: dict
) -> dict[str, list[str]]:
    """Make the table of samples and give the command of each tool; every one overwrites its own
    output.
    """
    vcf, samples = str(arguments.vcf), str(folder / "samples.tsv")
    flags = ["--settings", json.dumps(config["samples"]), "--seed", str(config["seed"])]
    measure([*STEP, "haplorag.steps.samples", vcf, str(arguments.people), samples, *flags])
    flags = [
        "--chromosome",
        find_chromosome(arguments.vcf),
        "--settings",
        json.dumps(config["genotypes"]),
    ]
    return {
        "ours": [
            *STEP,
            "haplorag.steps.genotypes",
            vcf,
            samples,
            str(folder / "ours.h5"),
            str(folder / "tally.tsv"),
            *flags,
        ],
        "bcftools": ["bcftools", "view", "-Ou", vcf],
        "scikit-allel": [arguments.peers_python, "-c", ALLEL, vcf, str(folder / "allel.h5")],
        "bio2zarr": [
            arguments.peers_python,
            "-c",
            BIO2ZARR,
            "convert",
            "--force",
            "--no-progress",
            vcf,
            f"{folder}/bio2zarr.zarr",
        ],
    }


def measure_all(commands: dict[str, list[str]]) -> tuple[dict[str, float], dict[str, int]]:
    """Least CPU seconds and largest peak memory in bytes of each command, run in turn."""
    runs = {name: [] for name in commands}
    for _ in range(3):
        for name, command in commands.items():
            runs[name].append(measure(command))
    best = {name: min(cpu for _, cpu, _ in figures) for name, figures in runs.items()}
    return best, {name: max(peak for _, _, peak in figures) for name, figures in runs.items()}


def measure_halves(command: list[str], vcf: Path, folder: Path) -> tuple[float, float]:
    """Least wall seconds of three of the command, and of two processes at once that have half of
    the records each.
    """
    cut = ["bcftools", "query", "-f", "%CHROM\t%POS\n", str(vcf)]
    places = subprocess.run(cut, check=True, capture_output=True, text=True).stdout.splitlines()
    chromosome, middle = places[len(places) // 2].split("\t")
    parts = []
    for number, region in enumerate((f"1-{middle}", f"{int(middle) + 1}-")):
        half = folder / f"half{number}.vcf.gz"
        measure(
            [
                "bcftools",
                "view",
                "--targets",
                f"{chromosome}:{region}",
                "-Oz",
                "-o",
                str(half),
                str(vcf),
            ]
        )
        measure(["bcftools", "index", "--tbi", str(half)])
        names = {
            str(vcf): str(half),
            str(folder / "ours.h5"): f"{half}.h5",
            str(folder / "tally.tsv"): f"{half}.tsv",
        }
        parts.append([names.get(word, word) for word in command])
    whole, halves = [], []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            whole.append(measure(command)[0])
            started = time.perf_counter()
            list(pool.map(measure, parts))
            halves.append(time.perf_counter() - started)
    return min(whole), min(halves)


def pack_shards(store: Path, folder: Path, chromosome: str, config: dict) -> Path:
    """Run the steps that lead from the store to the packed reference haplotypes."""
    samples, frequencies, windows = (
        folder / "samples.tsv",
        folder / "frequencies.h5",
        folder / "windows.h5",
    )
    flags = ["--chromosome", chromosome, "--settings", json.dumps(config["windows"])]
    measure([*STEP, "haplorag.steps.frequencies", str(store), str(samples), str(frequencies)])
    measure(
        [
            *STEP,
            "haplorag.steps.windows",
            str(frequencies),
            str(windows),
            str(folder / "windows.tsv"),
            *flags,
        ]
    )
    measure(
        [
            *STEP,
            "haplorag.steps.shards",
            str(store),
            str(samples),
            str(windows),
            str(folder / "shards"),
        ]
    )
    return folder / "shards"


def read_shape(store: Path, shards: Path) -> tuple[int, int]:
    """Sites of the store and reference haplotypes of the shards."""
    count = f"import h5py; print(len(h5py.File({str(store)!r})['variants/POS']))"
    sites = subprocess.run(
        [sys.executable, "-c", count], check=True, capture_output=True, text=True
    ).stdout
    return int(sites), json.loads((shards / "shards.json").read_text())["reference_haplotypes"]


def find_chromosome(vcf: Path) -> str:
    """Chromosome of the first record."""
    with gzip.open(vcf, "rt") as lines:
        return next(line for line in lines if not line.startswith("#")).split("\t", 1)[0]


def print_tables(best: dict[str, float], peak: dict[str, int], sizes: dict[str, int]) -> None:
    """Print CPU time and memory of each tool, and the sizes of files."""
    print(f"{'tool':14}{'CPU s':>8}{'to ours':>9}{'peak MB':>9}")
    for name in best:
        print(f"{name:14}{best[name]:8.2f}{best[name] / best['ours']:8.2f}x{peak[name] / 1e6:9.0f}")
    print(
        f"\n{'file':14}{'MB':>8}",
        *(f"{name:14}{size / 1e6:8.2f}" for name, size in sizes.items()),
        sep="\n",
        end="\n\n",
    )


if __name__ == "__main__":
    main()

"""Imputes the test people with another tool, or takes what it imputed, at the same hidden sites."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.errors import InputError
from haplorag.io.atomic import borrowing_folder
from haplorag.vcf.writer import read_imputed
from haplorag.io.provenance import describe_family
from haplorag.panel.samples import find_people, read_samples
from haplorag.settings import Peer

log = logging.getLogger(__name__)
PACKAGES = {"beagle": "apt-get install beagle", "minimac4": "apt-get install minimac4"}


def peers(
    genotypes: Path,
    samples: Path,
    frequencies: Path,
    masks: Path,
    reference: Path,
    output: Path,
    *,
    targets: list[Path],
    peer: str,
    settings: Peer,
    chromosome: str,
    genetic_map: Path | None = None,
    threads: int = 1,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2], one method: the peer; NaN where nothing is hidden.

    A hidden site that the tool leaves out takes the reference's frequency and is counted. Raises InputError where the tool
    is not installed or fails.
    """
    panel = ("samples", samples), ("genotypes", genotypes), ("frequencies", frequencies)
    sources = describe_family(*panel, ("masks", masks))
    drawn = store.read_arrays(masks, "masks")
    arrays = store.read_arrays(genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT")
    sites = {key: row for row, key in enumerate(zip(*(values.tolist() for values in arrays.values()), strict=True))}
    frequency = store.read_arrays(frequencies, "frequencies", "frequency")["frequency"]
    people = find_people(read_samples(samples), "test")
    shape = (1, len(drawn["names"]), len(people), len(frequency), 2)
    threads = command.count_threads(threads)
    with store.creating_arrays(output, "predictions", sources=sources) as file, borrowing_folder(output) as scratch:
        store.put_predictions(file, [peer], drawn["names"].tolist(), people, shape)
        for row, mask in enumerate(drawn["names"].tolist()):
            hidden = drawn["hidden"][row]
            target = next(path for path in targets if path.name == f"{mask}.vcf.gz")
            if settings.file:
                imputed = Path(settings.file.replace("{mask}", mask))
                names = None
            else:
                imputed = _run_tool(settings, reference, target, genetic_map, scratch, threads)
                names = [f"p{person}" for person in people]
            probability = np.broadcast_to(frequency[None, :, None], shape[2:]).copy()
            found = read_imputed(imputed, chromosome, sites, names or _names_of(samples, people), probability)
            lacking = int((hidden & ~found).sum())
            if lacking:
                log.warning("%s, %s: %d of %d hidden sites are not in the output; they count as the allele frequency",
                            peer, mask, lacking, hidden.sum())  # fmt: skip
            probability[:, ~hidden] = np.nan
            file["probability"][0, row] = probability
            log.info("%s, %s: %d hidden sites", peer, mask, hidden.sum())


def _names_of(samples: Path, rows: np.ndarray) -> list[str]:
    return read_samples(samples)["sample"].iloc[rows].tolist()


def _run_tool(settings: Peer, reference: Path, target: Path, genetic_map: Path | None, scratch: Path, threads: int) -> Path:
    tool, arguments = str(settings.tool), shlex.split(settings.arguments)
    if not shutil.which(tool):
        raise InputError(f"{tool}: not installed; run `{PACKAGES[tool]}`, or remove it from `peers`")
    if tool == "beagle":
        given = [f"gt={target}", f"ref={reference}", f"out={scratch}/imputed", "ap=true", "seed=1", f"nthreads={threads}"]
        _call([tool, *given, *([f"map={genetic_map}"] if genetic_map else []), *arguments])
        return scratch / "imputed.vcf.gz"
    panel = scratch / "reference.msav"
    if not panel.exists():
        _call([tool, "--compress-reference", str(reference), "-o", str(panel)])
    given = [str(panel), str(target), "-o", f"{scratch}/imputed.vcf.gz", "-O", "vcf.gz", "-f", "HDS", "-t", str(threads)]
    _call([tool, *given, *(["--map", str(genetic_map)] if genetic_map else []), *arguments])
    return scratch / "imputed.vcf.gz"


def _call(words: list[str]) -> None:
    log.info("%s", shlex.join(words))
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        said = done.stdout[-2000:]
        raise InputError(f"{words[0]}: failed with exit status {done.returncode}; fix its arguments; it said: {said}")


if __name__ == "__main__":
    command.run(peers)

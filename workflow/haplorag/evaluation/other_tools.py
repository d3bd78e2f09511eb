"""Runs Beagle and Minimac4, and reads what they or others have imputed."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag.errors import InputError
from haplorag.io.hdf5 import read_arrays
from haplorag.io.programs import run_program
from haplorag.settings import PeerSettings
from haplorag.vcf.dosages import read_imputed

PACKAGES = {"beagle": "apt-get install beagle", "minimac4": "apt-get install minimac4"}
REMEDY = "fix its arguments"


@dataclass(frozen=True)
class PanelSites:
    """The sites of a chromosome, to which another tool's output is matched."""

    chromosome: str
    # Number of each site by position (1-based), REF and ALT.
    rows: dict[tuple[int, str, str], int]
    # Of ALT among reference people, float32 [site].
    frequency: np.ndarray


@dataclass(frozen=True)
class ImputedSites:
    """What a tool has imputed at the sites of a chromosome."""

    # Of ALT, float32 [person, site, 2]; the frequency at sites that the tool's output lacks.
    probability: np.ndarray
    # Which sites the output has, bool [site].
    found: np.ndarray


def read_panel_sites(genotypes: Path, frequencies: Path, chromosome: str) -> PanelSites:
    """Read the sites of a chromosome from its store, and their frequencies."""
    arrays = read_arrays(genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT")
    keys = zip(*(values.tolist() for values in arrays.values()), strict=True)
    frequency = read_arrays(frequencies, "frequencies", "frequency")["frequency"]
    return PanelSites(chromosome, {key: row for row, key in enumerate(keys)}, frequency)


def read_probabilities(imputed: Path, sites: PanelSites, names: list[str]) -> ImputedSites:
    """Read an imputed VCF of these people.

    Raises InputError where a person is missing, or a record has no probabilities.
    """
    shape = (len(names), len(sites.frequency), 2)
    probability = np.broadcast_to(sites.frequency[None, :, None], shape).copy()
    found = read_imputed(imputed, sites.chromosome, sites.rows, names, probability)
    return ImputedSites(probability, found)


@dataclass(frozen=True)
class OtherTool:
    """A tool that is run here, or whose imputed VCF is given; with what it needs to run.

    The `reference` is a VCF, for Minimac4 what `compress_reference` makes of it.
    """

    settings: PeerSettings
    reference: Path
    genetic_map: Path | None
    scratch: Path
    threads: int

    def impute(self, target: Path) -> Path:
        """The imputed VCF: as given, or by running the tool on the target VCF.

        Raises InputError where the tool is not installed or fails.
        """
        if self.settings.file:
            return Path(self.settings.file)
        tool = str(self.settings.tool)
        _find_tool(tool)
        arguments = shlex.split(self.settings.arguments)
        if tool == "beagle":
            self._run_beagle(target, arguments)
        else:
            self._run_minimac4(target, arguments)
        return self.scratch / "imputed.vcf.gz"

    def _run_beagle(self, target: Path, arguments: list[str]) -> None:
        """Run Beagle with probabilities of alleles in its output, and a fixed seed."""
        files = [f"gt={target}", f"ref={self.reference}", f"out={self.scratch}/imputed"]
        given_map = [f"map={self.genetic_map}"] if self.genetic_map else []
        fixed = ["ap=true", "seed=1", f"nthreads={self.threads}"]
        run_program(["beagle", *files, *fixed, *given_map, *arguments], REMEDY)

    def _run_minimac4(self, target: Path, arguments: list[str]) -> None:
        """Run Minimac4 with dosages of haplotypes in its output."""
        output = ["-o", f"{self.scratch}/imputed.vcf.gz", "-O", "vcf.gz", "-f", "HDS"]
        given_map = ["--map", str(self.genetic_map)] if self.genetic_map else []
        threads = ["-t", str(self.threads)]
        files = [str(self.reference), str(target)]
        run_program(["minimac4", *files, *output, *threads, *given_map, *arguments], REMEDY)


def compress_reference(reference: Path, output: Path) -> None:
    """Write a phased VCF in the form that Minimac4 reads a panel in (MSAV), which it makes itself.

    Raises InputError where Minimac4 is not installed or fails.
    """
    _find_tool("minimac4")
    run_program(["minimac4", "--compress-reference", str(reference), "-o", str(output)], REMEDY)


def _find_tool(tool: str) -> None:
    """Raise InputError where a tool is not installed."""
    if not shutil.which(tool):
        raise InputError(
            f"{tool}: not installed; run `{PACKAGES[tool]}`, or remove it from `peers`"
        )

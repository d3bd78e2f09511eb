"""Runs Beagle and Minimac4."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
from pathlib import Path

from haplorag.errors import InputError
from haplorag.settings import PeerSettings

log = logging.getLogger(__name__)
PACKAGES = {"beagle": "apt-get install beagle", "minimac4": "apt-get install minimac4"}


def run_tool(
    settings: PeerSettings,
    reference: Path,
    target: Path,
    genetic_map: Path | None,
    scratch: Path,
    threads: int,
) -> Path:
    """Run a tool on a target's typed sites and give the path of its imputed VCF."""
    tool, arguments = str(settings.tool), shlex.split(settings.arguments)
    if not shutil.which(tool):
        raise InputError(
            f"{tool}: not installed; run `{PACKAGES[tool]}`, or remove it from `peers`"
        )
    if tool == "beagle":
        given = [
            f"gt={target}",
            f"ref={reference}",
            f"out={scratch}/imputed",
            "ap=true",
            "seed=1",
            f"nthreads={threads}",
        ]
        _call([tool, *given, *([f"map={genetic_map}"] if genetic_map else []), *arguments])
        return scratch / "imputed.vcf.gz"
    panel = scratch / "reference.msav"
    if not panel.exists():
        _call([tool, "--compress-reference", str(reference), "-o", str(panel)])
    given = [
        str(panel),
        str(target),
        "-o",
        f"{scratch}/imputed.vcf.gz",
        "-O",
        "vcf.gz",
        "-f",
        "HDS",
        "-t",
        str(threads),
    ]
    _call([tool, *given, *(["--map", str(genetic_map)] if genetic_map else []), *arguments])
    return scratch / "imputed.vcf.gz"


def _call(words: list[str]) -> None:
    log.info("%s", shlex.join(words))
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        said = done.stdout[-2000:]
        raise InputError(
            f"{words[0]}: failed with exit status {done.returncode}; fix its arguments; it said: {said}"
        )

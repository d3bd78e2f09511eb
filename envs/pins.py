"""Pins what pyproject.toml asks for: envs/*.txt, and the conda environments of the same packages.

Run it by `make pins`, which keeps the versions that are pinned already where they still fit;
`make pins UPGRADE=--upgrade` takes the newest.
"""

import re
import subprocess
import sys
from pathlib import Path

ENVS = Path(__file__).parent
COMMAND = "# Made from pyproject.toml by: make pins\n"
HEADS = {
    "cpu": """\
# Third-party requirements on a machine without a GPU; every version pinned. Python 3.11 to 3.14,
# Linux. NVIDIA's packages are left out: where PyTorch's build asks for them, it names versions.
""",
    "gpu": """\
# Third-party requirements on a machine with an NVIDIA GPU (driver 580 or newer); every version
# pinned. Python 3.11 to 3.14, Linux.
""",
    "slurm": """\
# Beside cpu.txt or gpu.txt, where jobs are to be submitted to Slurm (profiles/slurm).
""",
    "docs": """\
# What `make docs` needs beside cpu.txt or gpu.txt.
""",
    "dev": """\
# What the tests and checks need beside cpu.txt or gpu.txt.
-r slurm.txt
""",
}
FOR_GPUS = re.compile("nvidia-|cuda-|triton==")
# Tests run the kernels by the interpreter of Triton.
OF_NVIDIA = re.compile("nvidia-|cuda-")


def main(options: list[str]) -> None:
    """Write the pins of all environments; options are handed on to uv."""
    write("cpu", [line for line in resolve("cpu", options) if not FOR_GPUS.match(line)])
    write("gpu", resolve("gpu", [*options, "--constraint", "envs/cpu.txt"]))
    for name, beneath in (("slurm", ["cpu"]), ("docs", ["cpu"]), ("dev", ["cpu", "slurm"])):
        known = {line for other in beneath for line in read(other)}
        known_files = [
            option for other in beneath for option in ("--constraint", f"envs/{other}.txt")
        ]
        lines = resolve(name, [*options, "--extra", "cpu", *known_files])
        left_out = OF_NVIDIA if name == "dev" else FOR_GPUS
        write(name, [line for line in lines if line not in known and not left_out.match(line)])
    for name in ("cpu", "gpu"):
        write_conda(name)


def resolve(name: str, options: list[str]) -> list[str]:
    """All packages of an extra, each with its version: the one pinned already, where it fits."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--quiet", "--no-header", "--no-annotate"]
    # The oldest Python: what it can install, newer ones can too.
    command += ["--python-version", "3.11", "--python-platform", "linux", "--extra", name]
    subprocess.run(
        [*command, *options, "--output-file", f"envs/{name}.txt"], cwd=ENVS.parent, check=True
    )
    return read(name)


def read(name: str) -> list[str]:
    """The pins in a file."""
    return [line for line in (ENVS / f"{name}.txt").read_text().splitlines() if "==" in line]


def write(name: str, pins: list[str]) -> None:
    """Write a file of pins under its head."""
    (ENVS / f"{name}.txt").write_text(COMMAND + HEADS[name] + "".join(f"{pin}\n" for pin in pins))


def write_conda(name: str) -> None:
    """Write the conda environment with the pins of a file."""
    head = f"{COMMAND}# For snakemake --sdm conda: the packages of {name}.txt.\n"
    head += "channels: [conda-forge]\n"
    dependencies = "dependencies:\n  - python=3.11\n  - pip\n  - pip:\n"
    pins = "".join(f"      - {pin}\n" for pin in read(name))
    (ENVS / f"{name}.yaml").write_text(head + dependencies + pins)


if __name__ == "__main__":
    main(sys.argv[1:])

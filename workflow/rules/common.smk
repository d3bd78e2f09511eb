"""The checked configuration, and what rules say of it: paths, JSON sections, fingerprints."""

import json
import shlex
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/workflow")

from haplorag.captions import CAPTIONS
from haplorag.errors import InputError
from haplorag.fingerprint import hash_module
from haplorag.settings import read_settings
from haplorag.steps.preflight import find_problems


def check_configuration():
    try:
        checked = read_settings(config)
    except InputError as error:
        raise WorkflowError(str(error))
    if workflow.is_main_process and (problems := find_problems(checked)):
        raise WorkflowError("\n".join(problems))
    return checked


def as_json(value):
    """JSON with sorted keys: Snakemake compares params as text."""
    return json.dumps(
        value, sort_keys=True, default=lambda section: section.model_dump(mode="json")
    )


def code(step):
    """Fingerprint of a step and of the project modules it imports."""
    return hash_module(f"haplorag.steps.{step}")


def per_chromosome(pattern):
    """The pattern once per chromosome, all other wildcards kept."""
    return [
        pattern.replace("{chromosome}", chromosome)
        for chromosome in settings.chromosomes
    ]


def panel_file(path):
    """Input function: a configured path, filled in for the wildcard chromosome."""
    return lambda wildcards: settings.fill(path, chromosome=wildcards.chromosome)


settings = check_configuration()
results = settings.results
logs = f"{results}/logs"
times = f"{results}/benchmarks"
epochs = [f"{epoch:03d}" for epoch in range(settings.training.epochs + 1)]
samples = f"{results}/samples/samples.tsv"
extension = settings.imputation.output
index = {"vcf.gz": "tbi", "bcf": "csi"}[extension]
imputed = expand(
    f"{results}/imputation/{{target}}.{extension}", target=settings.imputation.targets
)

# Jobs find this checkout's code wherever they run.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={workflow.basedir!r}/workflow; ")


wildcard_constraints:
    chromosome="|".join(settings.chromosomes),
    model="|".join(settings.models),
    epoch=r"\d{3}",
    target="|".join(settings.imputation.targets) or "none",

"""The checked configuration, and what rules say of it: paths, JSON sections, fingerprints."""

import json
import math
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness

# Snakemake looks for modules beside the main Snakefile, that of an importing workflow or not.
import haplorag
from haplorag.report.captions import CAPTIONS
from haplorag.report.sentences import describe_mask
from haplorag.configuration import lay_over, read_settings, read_yaml
from haplorag.qc.preflight import find_problems, is_made_here
from haplorag.errors import InputError
from haplorag.panel.samples import list_roles
from haplorag.io.checksums import quick_digest
from haplorag.pipeline.fingerprint import hash_module
from haplorag.settings import PANEL_ONLY
from haplorag.pipeline.locking import lock_folder
from haplorag.pipeline.privacy import make_private


def check_configuration():
    """The settings: what is configured, by whichever workflow imports this one, laid over the defaults."""
    source = " + ".join(map(str, workflow.configfiles)) or "config"
    try:
        # Snakemake has read these in its own way, which takes more than we do.
        for path in workflow.configfiles:
            read_yaml(Path(path))
        complete = read_yaml(Path(workflow.source_path("../../config/config.yaml")))
        lay_over(complete, config)
        checked = read_settings(complete, source)
    except InputError as error:
        refuse(str(error))
    if workflow.is_main_process and (problems := find_problems(checked)):
        refuse("\n".join(problems))
    return checked


def refuse(message):
    """Stop for what is wrong, which Snakemake keeps to itself when it is told to be quiet of all."""
    if Quietness.ALL in (workflow.output_settings.quiet or ()):
        print(message, file=sys.stderr)
    raise WorkflowError(message)


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


# Twice, or somewhat more, of what `benchmarks/` says of the demo at 1 and 4 Mb (750 people) and of two regions of the 1000
# Genomes Project (2,504 people; 24,804 and 5,268 sites) on two CPU cores without a GPU, and 300 MB for Snakemake itself.
def growing(memory, minutes):
    """Resources a cluster is asked for: MB and minutes, each a fixed part and one per MB of input, times the attempt."""

    def ask(fixed, each):
        return lambda wildcards, input, attempt: attempt * math.ceil(
            fixed + each * megabytes(input)
        )

    return {"mem_mb": ask(*memory), "runtime": ask(*minutes)}


def megabytes(files):
    """Size of those files that are there; where a group of jobs makes some of them, the others tell its size."""
    return sum(os.path.getsize(file) for file in files if os.path.exists(file)) / 1e6


def of_everyone(pattern):
    """The pattern once per chromosome, of what is made of everybody: of the reference where nobody is held out."""
    if not held_out:
        return per_chromosome(pattern)
    return per_chromosome(pattern.replace(f"{results}/", f"{results}/everyone/", 1))


def panel_file(path):
    """Input function: a configured path, filled in for the wildcard chromosome."""
    return lambda wildcards: settings.fill(path, chromosome=wildcards.chromosome)


def target_file(wildcards):
    """The file of a target."""
    return settings.fill(settings.imputation.targets[wildcards.target])


def people_of_targets(wildcards):
    """The table of the targets' people, if there is one."""
    path = settings.imputation.people
    return [settings.fill(path)] if path else []


def digests_of(*patterns):
    """Param function: what files from elsewhere look like, for one may be replaced by another of the same age."""

    def look(wildcards):
        chromosome = wildcards.get("chromosome", settings.chromosomes[0])
        paths = [
            settings.fill(path, chromosome=chromosome) for path in patterns if path
        ]
        return [
            quick_digest(Path(path))
            for path in paths
            if Path(path).exists() and not is_made_here(path, settings)
        ]

    return look


package = Path(haplorag.__file__).parent
templates = package / "report/templates"
settings = check_configuration()
if settings.private:
    os.umask(0o077)
results = settings.results
logs = f"{results}/logs"
times = f"{results}/benchmarks"
epochs = [f"{epoch:03d}" for epoch in range(settings.training.epochs + 1)]
samples = f"{results}/samples/samples.tsv"
everyone = f"{results}/samples/everyone.tsv"
role_file = settings.samples.roles and Path(settings.fill(settings.samples.roles))
# Roles of people beside the reference: they are in the imputer, and in nothing that judges it.
held_out = set(list_roles(settings.samples, role_file)) - {"reference"}
judged = "test" in held_out
if settings.models and "validation" not in held_out:
    # Training could not tell when to stop. The report says that there was none.
    if settings.imputation.model != PANEL_ONLY:
        raise WorkflowError(
            f"imputation.model: {settings.imputation.model} needs validation people to be trained; set samples.validation"
            f" above 0, or imputation.model: {PANEL_ONLY}"
        )
    settings = settings.model_copy(update={"models": []})
extension = settings.imputation.output
imputer_folder = f"{results}/imputer/{settings.imputation.model}"
merged = expand(
    f"{results}/merger/{{study}}.{extension}", study=settings.imputation.merged
)
imputed = merged + expand(
    f"{results}/imputation/{{target}}.{extension}", target=settings.imputation.targets
)

# The masks of validation are one draw, for a network is judged under all of them; each of the test's is a draw of its own, so
# that another one leaves the files of those that are there alone.
test_draws = [f"test/{mask}" for mask in settings.masks.test]
fixed_draws = ["validation", *test_draws]
fixed_draw = "|".join(fixed_draws)
epoch_draw = r"(?!000)\d{3}"
epoch_files = {
    "weights": "weights.safetensors",
    "state": "state.pt",
    "best": "best.safetensors",
    "history": "history.json",
}


def for_each_mask(pattern, **more):
    """The pattern for each test mask and, of each, for every chromosome."""
    return expand(
        pattern,
        **more,
        mask=settings.masks.test,
        chromosome=settings.chromosomes,
    )


def name_draw(wildcards):
    """What a draw is called: an epoch, or validation or test, whose masks are told apart by their names."""
    return wildcards.draw.split("/")[0]


def fixed_masks(wildcards):
    """The named masks of a draw of validation or test, their files filled in."""
    role, _, one = wildcards.draw.partition("/")
    return {
        name: mask.model_copy(
            update={
                "file": mask.file
                and settings.fill(mask.file, chromosome=wildcards.chromosome)
            }
        )
        for name, mask in getattr(settings.masks, role).items()
        if one in ("", name)
    }


def draw_flag(wildcards):
    """How masks are drawn, as a flag: the curriculum of the epochs, or the fixed masks of a draw."""
    if wildcards.draw not in fixed_draws:
        return f"--curriculum {shlex.quote(as_json(settings.masks.training))}"
    return f"--fixed {shlex.quote(as_json({'masks': fixed_masks(wildcards)}))}"


def given_masks(wildcards):
    """Files that masks of strategy `given` are read from, and the sites they are matched to."""
    if wildcards.draw not in fixed_draws:
        return {}
    files = sorted({mask.file for mask in fixed_masks(wildcards).values() if mask.file})
    genotypes = f"{results}/genotypes/{wildcards.chromosome}.h5"
    return {"given": files, "sites": genotypes} if files else {}


def files_of_epoch(model, epoch):
    return {
        name: f"{results}/training/{model}/{epoch}/{file}"
        for name, file in epoch_files.items()
    }


def files_of_imputer(folder):
    """What every imputer has; with a network its weights lie there too."""
    model = f"{results}/{folder}/{{model}}"
    return {
        "facts": f"{model}/imputer.json",
        "readme": f"{model}/README.md",
        "chromosomes": [
            directory(path) for path in per_chromosome(f"{model}/{{chromosome}}")
        ],
    }


def previous_epoch(wildcards):
    """What the epoch before leaves, prefixed `from_`."""
    files = files_of_epoch(wildcards.model, f"{int(wildcards.epoch) - 1:03d}")
    return {f"from_{name}": file for name, file in files.items()}


def trained_network(wildcards):
    """What training leaves of a model; nothing where the model over the panel goes alone."""
    if wildcards.model == PANEL_ONLY:
        return {}
    last = files_of_epoch(wildcards.model, epochs[-1])
    return {"best": last["best"], "history": last["history"]}


def network_flags(wildcards, input):
    """The flags of a trained network."""
    if wildcards.model == PANEL_ONLY:
        return ""
    network = shlex.quote(as_json(settings.network[wildcards.model]))
    files = shlex.quote(str(input.best)), shlex.quote(str(input.history))
    return "--network {} --weights {} --history {}".format(network, *files)


def peer_of(wildcards):
    """A peer's settings, its file filled in."""
    peer = settings.peers[wildcards.peer]
    place = {"chromosome": wildcards.chromosome, "mask": wildcards.mask}
    return peer.model_copy(
        update={"file": peer.file and settings.fill(peer.file, **place)}
    )


def peer_files(wildcards):
    """The imputed VCF of a peer that is not run here."""
    file = peer_of(wildcards).file
    return {"imputed": file} if file else {}


def panel_of_peer(wildcards):
    """The reference in the form that a peer reads: Minimac4 has one of its own."""
    is_minimac4 = peer_of(wildcards).tool == "minimac4"
    maker = rules.compression if is_minimac4 else rules.exports_of_reference
    place = {"chromosome": wildcards.chromosome, "peer": wildcards.peer}
    return expand(maker.output[0], **place)


def optimisation_of(wildcards):
    """Training settings of a model, but for what changes no weight; a model's own are kept."""
    unwatched = {"epochs", "gpus", "tensorboard", "save_minutes"}
    own = settings.network[wildcards.model].training
    return as_json(
        settings.training_of(wildcards.model).model_dump(
            exclude=unwatched - ({"save_minutes"} & set(own))
        )
    )


# How often a state is kept, how many people go at a time and who watches a training change no result. Snakemake runs a job
# again for its params and its command, but not for its resources; a step lays the section of its params over these.
saving = {"save_minutes": str(settings.training.save_minutes)}
batching = {"batch_people": settings.imputation.batch_people}
watching = {"tensorboard": json.dumps(settings.training.tensorboard)}
save_json = "'{{\"save_minutes\": {resources.save_minutes}}}'"
batch_json = "'{{\"batch_people\": {resources.batch_people}}}'"

all_json = (
    '\'{{"training": {{"save_minutes": {resources.save_minutes}, "tensorboard": {resources.tensorboard}}},'
    ' "imputation": {{"batch_people": {resources.batch_people}}}}}\''
)


def events_of(wildcards):
    """The folder of a model's event files, quoted; empty where none are asked for."""
    folder = f"{results}/training/{wildcards.model}/events"
    wanted = settings.training_of(wildcards.model).tensorboard
    return shlex.quote(folder) if wanted else ""


# The environment of jobs that a GPU may help: where none is asked (--resources gpu=0), that of the CPU is enough. Jobs' own
# processes are not told what was asked, but are handed this.
if workflow.is_main_process:
    limit = workflow.global_resources.get("gpu")
    is_none = getattr(limit, "value", limit) == 0
    os.environ["HAPLORAG_ENVIRONMENT"] = "cpu" if is_none else "gpu"


envvars:
    "HAPLORAG_ENVIRONMENT",


accelerated = f"../../envs/{os.environ['HAPLORAG_ENVIRONMENT']}.yaml"


# How every command ends: what it says goes to the job's log, and what it warns of to a table beside it.
logged = "--warnings {log:q}.warnings.tsv > {log:q} 2>&1"


# A job that the kernel kills cannot say why.
killed = "killed (signal 9), most likely for lack of memory; run fewer jobs at once (--cores), or lower batch_people"

broken = "ended by a library (signal 6 or 11), most likely on a damaged or hostile input; use another file"

# Jobs find this code wherever they run, and the console too: what a job says goes to its log.
shell.prefix(
    "set -euo pipefail; trap 'case $? in"
    f' 137) echo "{killed}" >&2;; 134|139) echo "{broken}" >&2;; esac\' EXIT;'
    f" export PYTHONPATH={shlex.quote(str(package.parent))} HAPLORAG_CONSOLE=3; exec 3>&2; "
)


# Only a run that makes something gets here: not a dry run, a report or a job's own process.
onstart:
    try:
        lock_folder(Path(results))
        if settings.private:
            make_private(Path(results), Path(".snakemake"))
    except InputError as error:
        raise WorkflowError(str(error))


wildcard_constraints:
    chromosome="|".join(settings.chromosomes),
    model="|".join(settings.models) or "none",
    epoch=r"\d{3}",
    mask="|".join(settings.masks.test),
    peer="|".join(settings.peers) or "none",
    target="|".join(settings.imputation.targets) or "none",
    study="|".join(settings.imputation.merged) or "none",

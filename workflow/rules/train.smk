# Act two: hide, retrieve, learn. One epoch is one job; its masks and neighbours depend on no weights, so that idle cores
# prepare the next epochs while one trains.

# What every job that trains a network reads of the panel and of the fixed validation draw, chromosome by chromosome; flags
# that name one chromosome's files or those of all.
panel_inputs = {
    "samples": samples,
    "genotypes": per_chromosome(rules.genotypes.output.genotypes),
    "frequencies": per_chromosome(rules.frequencies.output[0]),
    "windows": per_chromosome(rules.windows.output.windows),
    "shards": per_chromosome(rules.shards.output[0]),
}
validation_inputs = {
    "validation_masks": per_chromosome(f"{results}/masks/validation/{{chromosome}}.h5"),
    "validation_neighbours": per_chromosome(
        f"{results}/neighbours/validation/{{chromosome}}.h5"
    ),
    "validation_rates": per_chromosome(f"{results}/rates/validation/{{chromosome}}.h5"),
}
panel_flags = " ".join(f"--panel-{name} {{input.{name}:q}}" for name in panel_inputs)
draw_flags = (
    "--draw-masks {input.masks:q} --draw-neighbours {input.neighbours:q}"
    " --draw-rates {input.rates:q}"
)
validation_flags = " ".join(
    f"--{name.replace('_', '-')} {{input.{name}:q}}" for name in validation_inputs
)


rule masks:
    input:
        unpack(given_masks),
        frequencies=rules.frequencies.output[0],
        windows=rules.windows.output.windows,
    output:
        masks=f"{results}/masks/{{draw}}/{{chromosome}}.h5",
        table=f"{results}/masks/{{draw}}/{{chromosome}}.tsv",
    log:
        f"{logs}/masks/{{draw}}/{{chromosome}}.log",
    benchmark:
        f"{times}/masks/{{draw}}/{{chromosome}}.tsv"
    wildcard_constraints:
        draw=f"{fixed_draw}|{epoch_draw}",
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 20), minutes=(10, 0.05)),
    params:
        code=code("masks"),
        draw=name_draw,
        drawn=draw_flag,
        sites=lambda wildcards, input: input.get("sites", []),
        seen=lambda wildcards: digests_of(*given_masks(wildcards).get("given", []))(
            wildcards
        ),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.masks {input.frequencies:q} {input.windows:q} {output.masks:q} {output.table:q}"
        " --draw {params.draw} --chromosome {wildcards.chromosome} {params.drawn} --sites {params.sites:q}"
        " --seed {params.seed}"
        f" {logged}"


rule rates:
    input:
        windows=rules.windows.output.windows,
        masks=rules.masks.output.masks,
        shards=rules.shards.output[0],
    output:
        f"{results}/rates/{{draw}}/{{chromosome}}.h5",
    log:
        f"{logs}/rates/{{draw}}/{{chromosome}}.log",
    benchmark:
        f"{times}/rates/{{draw}}/{{chromosome}}.tsv"
    wildcard_constraints:
        draw=fixed_draw,
    conda:
        "../../envs/cpu.yaml"
    threads: 2
    resources:
        **growing(memory=(1500, 20), minutes=(10, 0.5)),
    params:
        code=code("rates"),
        # Not how answers under its settings are weighed, which changes no rate.
        settings=as_json(
            settings.li_stephens.model_dump(mode="json", exclude={"mixture"})
        ),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.rates {input.windows:q} {input.masks:q} {input.shards:q} {output:q}"
        " --settings {params.settings:q} --chromosome {wildcards.chromosome} --seed {params.seed}"
        " --threads {threads}"
        f" {logged}"


rule neighbours:
    input:
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        windows=rules.windows.output.windows,
        masks=rules.masks.output.masks,
        shards=rules.shards.output[0],
    output:
        f"{results}/neighbours/{{draw}}/{{chromosome}}.h5",
    log:
        f"{logs}/neighbours/{{draw}}/{{chromosome}}.log",
    benchmark:
        f"{times}/neighbours/{{draw}}/{{chromosome}}.tsv"
    wildcard_constraints:
        draw=f"{fixed_draw}|{epoch_draw}",
    conda:
        accelerated
    threads: 2
    resources:
        **growing(memory=(1000, 40), minutes=(20, 1.5)),
        gpu=0,  # a GPU where one is given: --set-resources neighbours:gpu=1
    params:
        code=code("neighbours"),
        draw=name_draw,
        settings=as_json(settings.neighbours),
        curriculum=lambda wildcards: (
            as_json(settings.masks.training)
            if wildcards.draw not in fixed_draws
            else []
        ),
        # Of validation no more than networks are judged by.
        people=lambda wildcards: (
            max(
                settings.training_of(model).validation_people
                for model in settings.models
            )
            if wildcards.draw == "validation" and settings.models
            else []
        ),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.neighbours {input.genotypes:q} {input.samples:q} {input.windows:q} {input.masks:q}"
        " {input.shards:q} {output:q} --draw {params.draw} --chromosome {wildcards.chromosome}"
        " --settings {params.settings:q} --curriculum {params.curriculum:q} --people {params.people} --seed {params.seed} --threads {threads} --gpus {resources.gpu}"
        f" {logged}"


rule untrained:
    input:
        **panel_inputs,
        **validation_inputs,
    output:
        **files_of_epoch("{model}", "000"),
    log:
        f"{logs}/untrained/{{model}}.log",
    benchmark:
        f"{times}/untrained/{{model}}.tsv"
    conda:
        accelerated
    threads: 8
    resources:
        **growing(memory=(4000, 30), minutes=(30, 0.1)),
        **saving,
        gpu=1,
    params:
        code=code("untrained"),
        network=lambda wildcards: as_json(settings.network[wildcards.model]),
        settings=optimisation_of,
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.untrained {output.weights:q} {output.state:q} {output.best:q} {output.history:q}"
        " --model {wildcards.model} --network {params.network:q}"
        f" --settings {save_json}"
        " {params.settings:q}"
        " --seed {params.seed} --threads {threads} --gpus {resources.gpu}"
        f" {panel_flags} {validation_flags}"
        f" {logged}"


rule training:
    input:
        unpack(previous_epoch),
        **panel_inputs,
        **validation_inputs,
        masks=per_chromosome(f"{results}/masks/{{epoch}}/{{chromosome}}.h5"),
        neighbours=per_chromosome(f"{results}/neighbours/{{epoch}}/{{chromosome}}.h5"),
        # Masks of an epoch are new; they are traced with what the fixed ones estimate.
        rates=validation_inputs["validation_rates"],
    output:
        **files_of_epoch("{model}", "{epoch}"),
        metrics=f"{results}/training/{{model}}/{{epoch}}/metrics.tsv",
    log:
        f"{logs}/training/{{model}}/{{epoch}}.log",
    benchmark:
        f"{times}/training/{{model}}/{{epoch}}.tsv"
    wildcard_constraints:
        epoch=epoch_draw,
    conda:
        accelerated
    threads: 8
    resources:
        **growing(memory=(4000, 30), minutes=(30, 0.3)),
        **saving,
        events=events_of,
        gpu=settings.training.gpus,
    params:
        code=code("training"),
        network=lambda wildcards: as_json(settings.network[wildcards.model]),
        settings=optimisation_of,
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.training {input.from_weights:q} {input.from_state:q} {input.from_best:q}"
        " {input.from_history:q} {output.weights:q} {output.state:q} {output.best:q} {output.history:q} {output.metrics:q}"
        " --model {wildcards.model} --epoch {wildcards.epoch} --network {params.network:q} --events {resources.events}"
        f" --settings {save_json}"
        " {params.settings:q}"
        " --seed {params.seed} --threads {threads} --gpus {resources.gpu}"
        f" {panel_flags} {draw_flags} {validation_flags}"
        f" {logged}"


rule imputer:
    input:
        unpack(trained_network),
        genotypes=of_everyone(rules.genotypes.output.genotypes),
        frequencies=of_everyone(rules.frequencies.output[0]),
        windows=of_everyone(rules.windows.output.windows),
        shards=of_everyone(rules.shards.output[0]),
    output:
        **files_of_imputer("imputer"),
    log:
        f"{logs}/imputer/{{model}}.log",
    benchmark:
        f"{times}/imputer/{{model}}.tsv"
    wildcard_constraints:
        model="|".join([*settings.models, PANEL_ONLY]),
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1000, 20), minutes=(10, 0.05)),
    params:
        code=code("imputer"),
        network=network_flags,
        neighbours=as_json(settings.neighbours),
        copying=as_json(settings.li_stephens),
        chromosomes=settings.chromosomes,
        seed=settings.seed,
        folder=lambda wildcards, output: str(Path(output.facts).parent),
    shell:
        "python -m haplorag.steps.imputer {params.folder:q} --model {wildcards.model} {params.network}"
        " --genotypes {input.genotypes:q} --frequencies {input.frequencies:q} --windows {input.windows:q}"
        " --shards {input.shards:q} --chromosomes {params.chromosomes:q}"
        " --neighbours {params.neighbours:q} --copying {params.copying:q} --seed {params.seed}"
        f" {logged}"


# Made only where it is asked for: it imputes the people who are held out as if they were new.
use rule imputer as imputer_of_reference with:
    input:
        unpack(trained_network),
        genotypes=per_chromosome(rules.genotypes.output.genotypes),
        frequencies=per_chromosome(rules.frequencies.output[0]),
        windows=per_chromosome(rules.windows.output.windows),
        shards=per_chromosome(rules.shards.output[0]),
    output:
        **files_of_imputer("reference/imputer"),
    log:
        f"{logs}/imputer/reference/{{model}}.log",
    benchmark:
        f"{times}/imputer/reference/{{model}}.tsv"
    wildcard_constraints:
        model="|".join([*settings.models, PANEL_ONLY]),

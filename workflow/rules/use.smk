# Act three: judge the models beside their baselines, show it, and impute.

tables = {name: f"{results}/evaluation/{name}.tsv" for name in ("accuracy", "calibration", "along", "learning", "masks")}
figures = ["accuracy", "learning", "calibration", "populations", "masks", "along", "resources"]
draws = ["validation", "test", *epochs[1:]]


rule baselines:
    input:
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        frequencies=rules.frequencies.output[0],
        windows=rules.windows.output.windows,
        shards=rules.shards.output[0],
        masks=f"{results}/masks/test/{{chromosome}}.h5",
        neighbours=f"{results}/neighbours/test/{{chromosome}}.h5",
    output:
        f"{results}/baselines/{{chromosome}}.h5",
    log:
        f"{logs}/baselines/{{chromosome}}.log",
    benchmark:
        f"{times}/baselines/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code("baselines"),
        settings=as_json(settings.evaluation),
    shell:
        "python -m haplorag.steps.baselines {input.genotypes:q} {input.samples:q} {input.frequencies:q} {input.windows:q}"
        " {input.masks:q} {input.neighbours:q} {input.shards:q}/shards.json {output:q} --settings {params.settings:q}"
        " > {log:q} 2>&1"


rule predictions:
    input:
        weights=f"{results}/training/{{model}}/{epochs[-1]}/best.safetensors",
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        frequencies=rules.frequencies.output[0],
        windows=rules.windows.output.windows,
        shards=rules.shards.output[0],
        masks=f"{results}/masks/test/{{chromosome}}.h5",
        neighbours=f"{results}/neighbours/test/{{chromosome}}.h5",
    output:
        f"{results}/predictions/{{model}}/{{chromosome}}.h5",
    log:
        f"{logs}/predictions/{{model}}/{{chromosome}}.log",
    benchmark:
        f"{times}/predictions/{{model}}/{{chromosome}}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 8
    resources:
        gpu=1,
    params:
        code=code("predictions"),
        network=lambda wildcards: as_json(settings.network[wildcards.model]),
        batch=settings.imputation.batch_people,
    shell:
        "python -m haplorag.steps.predictions {input.weights:q} {input.genotypes:q} {input.samples:q} {input.frequencies:q}"
        " {input.windows:q} {input.masks:q} {input.neighbours:q} {input.shards:q}/shards.json {output:q}"
        " --network {params.network:q} --batch-people {params.batch} --threads {threads} --gpus {resources.gpu}"
        " > {log:q} 2>&1"


rule evaluation:
    input:
        samples=samples,
        genotypes=per_chromosome(rules.genotypes.output.genotypes),
        frequencies=per_chromosome(rules.frequencies.output[0]),
        masks=per_chromosome(f"{results}/masks/test/{{chromosome}}.h5"),
        baselines=per_chromosome(rules.baselines.output[0]),
        predictions=expand(rules.predictions.output[0], model=settings.models, chromosome=settings.chromosomes),
        histories=expand(f"{results}/training/{{model}}/{epochs[-1]}/history.json", model=settings.models),
        rates=expand(rules.masks.output.table, draw=draws, chromosome=settings.chromosomes),
    output:
        summary=f"{results}/evaluation/summary.json",
        **tables,
    log:
        f"{logs}/evaluation/evaluation.log",
    benchmark:
        f"{times}/evaluation/evaluation.tsv"
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code("evaluation"),
        settings=as_json(settings.evaluation),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.evaluation"

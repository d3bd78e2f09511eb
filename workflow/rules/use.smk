# Act three: judge the models beside their baselines, show it, and impute.

tables = {
    name: f"{results}/evaluation/{name}.tsv"
    for name in (
        "accuracy",
        "differences",
        "calibration",
        "along",
        "learning",
        "masks",
        "recall",
    )
}
# What is judged under one test mask.
test_inputs = {
    stage: f"{results}/{stage}/test/{{mask}}/{{chromosome}}.h5"
    for stage in ("masks", "neighbours", "rates")
}
# Masks of validation and of epochs are drawn for networks alone.
judged_draws = (
    ["validation", *test_draws, *epochs[1:]] if settings.models else test_draws
)


rule baselines:
    input:
        **test_inputs,
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        frequencies=rules.frequencies.output[0],
        windows=rules.windows.output.windows,
        shards=rules.shards.output[0],
    output:
        f"{results}/baselines/{{mask}}/{{chromosome}}.h5",
    log:
        f"{logs}/baselines/{{mask}}/{{chromosome}}.log",
    benchmark:
        f"{times}/baselines/{{mask}}/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 8
    resources:
        **growing(memory=(1500, 10), minutes=(20, 0.3)),
        **batching,
    params:
        code=code("baselines"),
        vote=settings.evaluation.vote_neighbours,
        mixing=as_json(settings.li_stephens.mixture),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.baselines {output:q} --vote-neighbours {params.vote}"
        " --batch-people {resources.batch_people} --mixing {params.mixing:q}"
        " --name {wildcards.chromosome} --seed {params.seed} --threads {threads}"
        f" {panel_flags} {draw_flags}"
        f" {logged}"


rule exports:
    input:
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        masks=test_inputs["masks"],
    output:
        f"{results}/exports/test/{{mask}}/{{chromosome}}.vcf.gz",
    log:
        f"{logs}/exports/test/{{mask}}/{{chromosome}}.log",
    benchmark:
        f"{times}/exports/test/{{mask}}/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1000, 10), minutes=(10, 0.05)),
    params:
        code=code("exports"),
        role="test",
    shell:
        "python -m haplorag.steps.exports {input.genotypes:q} {input.samples:q} {output:q} --role {params.role}"
        " --masks {input.masks:q} --chromosome {wildcards.chromosome}"
        f" {logged}"


use rule exports as exports_of_reference with:
    input:
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        masks=[],
    output:
        f"{results}/exports/reference/{{chromosome}}.vcf.gz",
    log:
        f"{logs}/exports/reference/{{chromosome}}.log",
    benchmark:
        f"{times}/exports/reference/{{chromosome}}.tsv"
    params:
        code=code("exports"),
        role="reference",


# Of each peer that is Minimac4.
rule compression:
    input:
        rules.exports_of_reference.output[0],
    output:
        f"{results}/peers/{{peer}}/reference/{{chromosome}}.msav",
    log:
        f"{logs}/compression/{{peer}}/{{chromosome}}.log",
    benchmark:
        f"{times}/compression/{{peer}}/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1000, 20), minutes=(10, 0.3)),
    params:
        code=code("compression"),
    shell:
        "python -m haplorag.steps.compression {input:q} {output:q}" f" {logged}"


rule peers:
    input:
        unpack(peer_files),
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        frequencies=rules.frequencies.output[0],
        masks=test_inputs["masks"],
        reference=panel_of_peer,
        target=rules.exports.output[0],
        map=panel_file(settings.panel.map) if settings.panel.map else [],
    output:
        f"{results}/peers/{{peer}}/{{mask}}/{{chromosome}}.h5",
    log:
        f"{logs}/peers/{{peer}}/{{mask}}/{{chromosome}}.log",
    benchmark:
        f"{times}/peers/{{peer}}/{{mask}}/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 2
    resources:
        **growing(memory=(3000, 60), minutes=(20, 0.3)),
    params:
        code=code("peers"),
        settings=lambda wildcards: as_json(peer_of(wildcards)),
        seen=lambda wildcards: digests_of(
            settings.panel.map, *peer_files(wildcards).values()
        )(wildcards),
    shell:
        "python -m haplorag.steps.peers {input.genotypes:q} {input.samples:q} {input.frequencies:q} {input.masks:q}"
        " {input.reference:q} {input.target:q} {output:q}"
        " --peer {wildcards.peer} --settings {params.settings:q} --chromosome {wildcards.chromosome}"
        " --genetic-map {input.map:q} --threads {threads}"
        f" {logged}"


rule predictions:
    input:
        **test_inputs,
        weights=f"{results}/training/{{model}}/{epochs[-1]}/best.safetensors",
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        frequencies=rules.frequencies.output[0],
        windows=rules.windows.output.windows,
        shards=rules.shards.output[0],
    output:
        f"{results}/predictions/{{model}}/{{mask}}/{{chromosome}}.h5",
    log:
        f"{logs}/predictions/{{model}}/{{mask}}/{{chromosome}}.log",
    benchmark:
        f"{times}/predictions/{{model}}/{{mask}}/{{chromosome}}.tsv"
    conda:
        accelerated
    threads: 8
    resources:
        **growing(memory=(8000, 10), minutes=(30, 1.2)),
        **batching,
        gpu=1,
    params:
        code=code("predictions"),
        network=lambda wildcards: as_json(settings.network[wildcards.model]),
    shell:
        "python -m haplorag.steps.predictions {input.weights:q} {output:q} --model {wildcards.model}"
        " --network {params.network:q} --threads {threads} --gpus {resources.gpu}"
        " --batch-people {resources.batch_people}"
        f" {panel_flags} {draw_flags}"
        f" {logged}"


rule evaluation:
    input:
        samples=samples,
        genotypes=per_chromosome(rules.genotypes.output.genotypes),
        frequencies=per_chromosome(rules.frequencies.output[0]),
        baselines=for_each_mask(rules.baselines.output[0]),
        predictions=for_each_mask(rules.predictions.output[0], model=settings.models),
        peers=for_each_mask(rules.peers.output[0], peer=settings.peers),
        histories=expand(
            f"{results}/training/{{model}}/{epochs[-1]}/history.json",
            model=settings.models,
        ),
        rates=expand(
            rules.masks.output.table,
            draw=judged_draws,
            chromosome=settings.chromosomes,
        ),
    output:
        **tables,
        summary=f"{results}/evaluation/summary.json",
    log:
        f"{logs}/evaluation/evaluation.log",
    benchmark:
        f"{times}/evaluation/evaluation.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1200, 4), minutes=(20, 0.03)),
    params:
        code=code("evaluation"),
        chromosomes=settings.chromosomes,
        # Of the files of the baselines, then of each model, then of each peer, mask by mask.
        predicted=settings.chromosomes
        * len(settings.masks.test)
        * (1 + len(settings.models) + len(settings.peers)),
        draws=[draw.split("/")[0] for draw in judged_draws],
        peers=list(settings.peers),
        settings=as_json(settings.evaluation),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.evaluation {output:q} --samples {input.samples:q} --chromosomes {params.chromosomes:q}"
        " --genotypes {input.genotypes:q} --frequencies {input.frequencies:q}"
        " --predictions {input.baselines:q} {input.predictions:q} {input.peers:q}"
        " --prediction-chromosomes {params.predicted:q} --histories {input.histories:q}"
        " --rates {input.rates:q} --draws {params.draws:q} --peers {params.peers:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        f" {logged}"


rule plots:
    input:
        **tables,
    output:
        report(
            f"{results}/plots/{{figure}}.svg",
            caption="../report/plots.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{logs}/plots/{{figure}}.log",
    benchmark:
        f"{times}/plots/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CAPTIONS),
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 1), minutes=(10, 0)),
    params:
        code=code("plots"),
        caption=lambda wildcards: CAPTIONS[wildcards.figure].text,
        times=times,
        logs=logs,
    shell:
        "python -m haplorag.steps.plots {input:q} {output:q} --figure {wildcards.figure} --times {params.times:q}"
        " --logs {params.logs:q}"
        f" {logged}"


# What the report says of accuracy is made of these.
judgement = [
    rules.evaluation.output.summary,
    tables["accuracy"],
    tables["differences"],
]


# The region that is shown is that of an array, where there is one.
shown_mask = min(
    settings.masks.test,
    key=lambda name: settings.masks.test[name].strategy != "array",
)


rule example:
    input:
        samples=samples,
        genotypes=f"{results}/genotypes/{settings.chromosomes[0]}.h5",
        frequencies=f"{results}/frequencies/{settings.chromosomes[0]}.h5",
        masks=f"{results}/masks/test/{shown_mask}/{settings.chromosomes[0]}.h5",
        rates=f"{results}/rates/test/{shown_mask}/{settings.chromosomes[0]}.h5",
        shards=f"{results}/shards/{settings.chromosomes[0]}",
    output:
        f"{results}/example/example.svg",
    log:
        f"{logs}/example/example.log",
    benchmark:
        f"{times}/example/example.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1500, 20), minutes=(10, 0.3)),
    params:
        code=code("example"),
        chromosome=settings.chromosomes[0],
        mask=shown_mask,
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.example {output:q} --samples {input.samples:q} --genotypes {input.genotypes:q}"
        " --frequencies {input.frequencies:q} --masks {input.masks:q} --rates {input.rates:q} --shards {input.shards:q}"
        " --chromosome {params.chromosome} --mask {params.mask:q} --seed {params.seed}"
        f" {logged}"


rule report:
    input:
        evaluation=judgement if judged else [],
        samples=samples,
        relatives=rules.relatives.output[0],
        genotypes=per_chromosome(rules.genotypes.output.genotypes),
        tallies=per_chromosome(rules.genotypes.output.tally),
        windows=per_chromosome(rules.windows.output.table),
        targets=expand(
            f"{results}/quality/{{target}}.tsv", target=settings.imputation.targets
        ),
        figures=expand(rules.plots.output[0], figure=CAPTIONS) if judged else [],
        example=rules.example.output if judged and settings.shows_example else [],
        template=f"{templates}/report.html.j2",
        page=f"{templates}/page.html.j2",
        parts=f"{templates}/parts.html.j2",
    output:
        report(
            f"{results}/report/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"figure": "all of it on one page"},
        ),
        accuracy=f"{results}/report/accuracy_mqc.tsv",
        targets=f"{results}/report/targets_mqc.tsv",
    log:
        f"{logs}/report/report.log",
    benchmark:
        f"{times}/report/report.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 1), minutes=(10, 0)),
        **saving,
        **batching,
        **watching,
    params:
        code=code("report"),
        chromosomes=settings.chromosomes,
        figure_names=list(CAPTIONS) if judged else [],
        target_names=list(settings.imputation.targets),
        # A function, so that {data} and {results} in paths are not taken for wildcards.
        settings=lambda wildcards: as_json(
            settings.model_dump(
                mode="json",
                exclude={
                    "training": {*saving, *watching},
                    "imputation": set(batching),
                },
            )
        ),
        times=times,
        logs=logs,
    shell:
        "python -m haplorag.steps.report {input.samples:q} {input.relatives:q} {output:q}"
        " --evaluation {input.evaluation:q} --chromosomes {params.chromosomes:q} --genotypes {input.genotypes:q}"
        " --tallies {input.tallies:q} --windows {input.windows:q}"
        " --figures {input.figures:q} --figure-names {params.figure_names:q}"
        " --example {input.example:q} --targets {input.targets:q} --target-names {params.target_names:q}"
        f" --settings {all_json}"
        " {params.settings:q} --times {params.times:q} --logs {params.logs:q}"
        f" {logged}"


rule comparison:
    input:
        template=f"{templates}/comparison.html.j2",
        page=f"{templates}/page.html.j2",
        parts=f"{templates}/parts.html.j2",
        others=[
            f"{folder}/evaluation/accuracy.tsv"
            for folder in settings.comparison.values()
        ],
        ours=tables["accuracy"],
    output:
        f"{results}/comparison/comparison.html",
    log:
        f"{logs}/comparison/comparison.log",
    benchmark:
        f"{times}/comparison/comparison.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 1), minutes=(10, 0)),
    params:
        code=code("comparison"),
        runs=[*settings.comparison, "this run"],
    shell:
        "python -m haplorag.steps.comparison {output:q} --runs {params.runs:q}"
        " --accuracies {input.others:q} {input.ours:q}"
        f" {logged}"


rule card:
    input:
        accuracy=tables["accuracy"],
        samples=samples,
        imputer=f"{results}/imputer/{{model}}/imputer.json",
    output:
        f"{results}/imputer/{{model}}/ACCURACY.md",
    log:
        f"{logs}/card/{{model}}.log",
    benchmark:
        f"{times}/card/{{model}}.tsv"
    wildcard_constraints:
        model="|".join([*settings.models, PANEL_ONLY]),
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 1), minutes=(10, 0)),
    params:
        code=code("card"),
        masks=[
            f"{name}: {describe_mask(mask)}"
            for name, mask in settings.masks.test.items()
        ],
    shell:
        "python -m haplorag.steps.card {input.accuracy:q} {input.samples:q} {output:q} --model {wildcards.model}"
        " --masks {params.masks:q}"
        f" {logged}"


rule phasing:
    input:
        imputer=f"{imputer_folder}/imputer.json",
        chromosomes=per_chromosome(f"{imputer_folder}/{{chromosome}}"),
        target=target_file,
    output:
        f"{results}/phasing/{{target}}.vcf.gz",
    log:
        f"{logs}/phasing/{{target}}.log",
    benchmark:
        f"{times}/phasing/{{target}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 8
    resources:
        **growing(memory=(3000, 10), minutes=(30, 15)),
    params:
        code=code("phasing"),
        imputer=lambda wildcards, input: os.path.dirname(input.imputer),
        settings=as_json(settings.phasing),
        seen=lambda wildcards: digests_of(
            settings.imputation.targets[wildcards.target]
        )(wildcards),
    shell:
        "python -m haplorag.steps.phasing {params.imputer:q} {input.target:q} {output:q}"
        " --settings {params.settings:q} --threads {threads}"
        f" {logged}"


rule imputation:
    input:
        imputer=f"{imputer_folder}/imputer.json",
        chromosomes=per_chromosome(f"{imputer_folder}/{{chromosome}}"),
        target=target_file,
        people=people_of_targets,
    # The index lies beside the VCF; of which kind it is, positions decide.
    output:
        vcf=f"{results}/imputation/{{target}}.{extension}",
        sites=f"{results}/imputation/{{target}}.sites.tsv",
        qc=report(
            f"{results}/imputation/{{target}}.qc.html",
            category="Targets",
            labels={"target": "{target}"},
        ),
        figures=f"{results}/imputation/{{target}}.qc.tsv",
        samples=f"{results}/imputation/{{target}}.qc.samples.tsv",
    log:
        f"{logs}/imputation/{{target}}.log",
    benchmark:
        f"{times}/imputation/{{target}}.tsv"
    conda:
        accelerated
    threads: 8
    resources:
        **growing(memory=(8000, 10), minutes=(30, 15)),
        **batching,
        gpu=int(settings.imputation.model != PANEL_ONLY),
    params:
        code=code("imputation"),
        imputer=lambda wildcards, input: os.path.dirname(input.imputer),
        settings=as_json(
            settings.imputation.model_copy(
                update={"targets": {}, "truth": {}, "people": None}
            ).model_dump(mode="json", exclude=set(batching))
        ),
        phasing=as_json(settings.phasing),
        seen=lambda wildcards: digests_of(
            settings.imputation.targets[wildcards.target]
        )(wildcards),
    shell:
        "python -m haplorag.steps.imputation {params.imputer:q} {input.target:q} {output.vcf:q} {output.sites:q}"
        " --people {input.people:q} --qc {output.qc:q} --refusal {log:q}.qc.html"
        f" --settings {batch_json}"
        " {params.settings:q} --phasing {params.phasing:q}"
        " --threads {threads} --gpus {resources.gpu}"
        f" {logged}"


rule merger:
    input:
        lambda wildcards: expand(
            rules.imputation.output.vcf,
            target=settings.imputation.merged[wildcards.study],
        ),
    output:
        f"{results}/merger/{{study}}.{extension}",
    log:
        f"{logs}/merger/{{study}}.log",
    benchmark:
        f"{times}/merger/{{study}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1000, 0), minutes=(10, 0.5)),
    params:
        code=code("merger"),
    shell:
        "python -m haplorag.steps.merger {output:q} --batches {input:q}" f" {logged}"


rule quality:
    input:
        imputed=rules.imputation.output.vcf,
        genotypes=of_everyone(rules.genotypes.output.genotypes),
        frequencies=of_everyone(rules.frequencies.output[0]),
        truth=lambda wildcards: [
            settings.fill(path)
            for name, path in settings.imputation.truth.items()
            if name == wildcards.target
        ],
    output:
        f"{results}/quality/{{target}}.tsv",
    log:
        f"{logs}/quality/{{target}}.log",
    benchmark:
        f"{times}/quality/{{target}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1000, 20), minutes=(10, 1)),
    params:
        code=code("quality"),
        chromosomes=settings.chromosomes,
        settings=as_json(settings.evaluation),
    shell:
        "python -m haplorag.steps.quality {input.imputed:q} {output:q} --genotypes {input.genotypes:q}"
        " --frequencies {input.frequencies:q} --chromosomes {params.chromosomes:q} --truth {input.truth:q}"
        " --settings {params.settings:q}"
        f" {logged}"

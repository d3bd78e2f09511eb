# Act one: from a phased panel to packed reference haplotypes. Nothing here depends on a mask or a model.


rule demo:
    output:
        panel=f"{results}/demo/panel.tsv",
        target=f"{results}/demo/target.vcf.gz",
        truth=f"{results}/demo/target.truth.vcf.gz",
        vcf=per_chromosome(f"{results}/demo/{{chromosome}}.vcf.gz"),
    log:
        f"{logs}/demo/demo.log",
    benchmark:
        f"{times}/demo/demo.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1000, 0), minutes=(30, 0)),
    params:
        code=code("demo"),
        settings=as_json(settings.demo),
        seed=settings.seed,
        chromosomes=settings.chromosomes,
    shell:
        "python -m haplorag.steps.demo {output.panel:q} {output.target:q} {output.truth:q} --vcf {output.vcf:q}"
        " --chromosomes {params.chromosomes:q} --settings {params.settings:q} --seed {params.seed}"
        f" {logged}"


rule samples:
    input:
        vcf=settings.fill(settings.panel.vcf, chromosome=settings.chromosomes[0]),
        people=settings.fill(settings.panel.people) if settings.panel.people else [],
        roles=settings.fill(settings.samples.roles) if settings.samples.roles else [],
    output:
        samples=samples,
        everyone=everyone,
    log:
        f"{logs}/samples/samples.log",
    benchmark:
        f"{times}/samples/samples.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 0), minutes=(10, 0)),
    params:
        code=code("samples"),
        # A function, so that {data} in a path is not taken for a wildcard.
        settings=lambda wildcards: as_json(settings.samples),
        seen=digests_of(
            settings.panel.vcf, settings.panel.people, settings.samples.roles
        ),
        seed=settings.seed,
    shell:
        "python -m haplorag.steps.samples {input.vcf:q} {output.samples:q} --people {input.people:q} --roles {input.roles:q}"
        " --everyone {output.everyone:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        f" {logged}"


rule genotypes:
    input:
        vcf=panel_file(settings.panel.vcf),
        samples=samples,
    output:
        genotypes=f"{results}/genotypes/{{chromosome}}.h5",
        tally=f"{results}/genotypes/{{chromosome}}.tally.tsv",
    log:
        f"{logs}/genotypes/{{chromosome}}.log",
    benchmark:
        f"{times}/genotypes/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 3), minutes=(10, 0.05)),
    params:
        code=code("genotypes"),
        settings=as_json(settings.genotypes),
        seen=digests_of(settings.panel.vcf),
    shell:
        "python -m haplorag.steps.genotypes {input.vcf:q} {input.samples:q} {output.genotypes:q} {output.tally:q}"
        " --chromosome {wildcards.chromosome} --settings {params.settings:q}"
        f" {logged}"


rule frequencies:
    input:
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
    output:
        f"{results}/frequencies/{{chromosome}}.h5",
    log:
        f"{logs}/frequencies/{{chromosome}}.log",
    benchmark:
        f"{times}/frequencies/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 5), minutes=(10, 0.05)),
    params:
        code=code("frequencies"),
    shell:
        "python -m haplorag.steps.frequencies {input.genotypes:q} {input.samples:q} {output:q}"
        f" {logged}"


rule relatives:
    input:
        samples=samples,
        genotypes=per_chromosome(rules.genotypes.output.genotypes),
        frequencies=per_chromosome(rules.frequencies.output[0]),
    output:
        f"{results}/relatives/relatives.tsv",
    log:
        f"{logs}/relatives/relatives.log",
    benchmark:
        f"{times}/relatives/relatives.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(1500, 10), minutes=(10, 0.1)),
    params:
        code=code("relatives"),
    shell:
        "python -m haplorag.steps.relatives {input.samples:q} {output:q} --genotypes {input.genotypes:q}"
        " --frequencies {input.frequencies:q}"
        f" {logged}"


rule windows:
    input:
        frequencies=rules.frequencies.output[0],
        map=panel_file(settings.panel.map) if settings.panel.map else [],
    output:
        windows=f"{results}/windows/{{chromosome}}.h5",
        table=f"{results}/windows/{{chromosome}}.tsv",
    log:
        f"{logs}/windows/{{chromosome}}.log",
    benchmark:
        f"{times}/windows/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 20), minutes=(10, 0.05)),
    params:
        code=code("windows"),
        settings=as_json(settings.windows),
        seen=digests_of(settings.panel.map),
    shell:
        "python -m haplorag.steps.windows {input.frequencies:q} {output.windows:q} {output.table:q} --genetic-map {input.map:q}"
        " --chromosome {wildcards.chromosome} --settings {params.settings:q}"
        f" {logged}"


rule shards:
    input:
        genotypes=rules.genotypes.output.genotypes,
        samples=samples,
        windows=rules.windows.output.windows,
    output:
        directory(f"{results}/shards/{{chromosome}}"),
    log:
        f"{logs}/shards/{{chromosome}}.log",
    benchmark:
        f"{times}/shards/{{chromosome}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        **growing(memory=(800, 3), minutes=(10, 0.05)),
    params:
        code=code("shards"),
    shell:
        "python -m haplorag.steps.shards {input.genotypes:q} {input.samples:q} {input.windows:q} {output:q}"
        f" {logged}"


# What users impute with is made of everybody, those included who are held out to judge it.
use rule genotypes as genotypes_of_everyone with:
    input:
        vcf=panel_file(settings.panel.vcf),
        samples=everyone,
    output:
        genotypes=f"{results}/everyone/genotypes/{{chromosome}}.h5",
        tally=f"{results}/everyone/genotypes/{{chromosome}}.tally.tsv",
    log:
        f"{logs}/genotypes/everyone/{{chromosome}}.log",
    benchmark:
        f"{times}/genotypes/everyone/{{chromosome}}.tsv"


use rule frequencies as frequencies_of_everyone with:
    input:
        genotypes=rules.genotypes_of_everyone.output.genotypes,
        samples=everyone,
    output:
        f"{results}/everyone/frequencies/{{chromosome}}.h5",
    log:
        f"{logs}/frequencies/everyone/{{chromosome}}.log",
    benchmark:
        f"{times}/frequencies/everyone/{{chromosome}}.tsv"


use rule windows as windows_of_everyone with:
    input:
        frequencies=rules.frequencies_of_everyone.output[0],
        map=panel_file(settings.panel.map) if settings.panel.map else [],
    output:
        windows=f"{results}/everyone/windows/{{chromosome}}.h5",
        table=f"{results}/everyone/windows/{{chromosome}}.tsv",
    log:
        f"{logs}/windows/everyone/{{chromosome}}.log",
    benchmark:
        f"{times}/windows/everyone/{{chromosome}}.tsv"


use rule shards as shards_of_everyone with:
    input:
        genotypes=rules.genotypes_of_everyone.output.genotypes,
        samples=everyone,
        windows=rules.windows_of_everyone.output.windows,
    output:
        directory(f"{results}/everyone/shards/{{chromosome}}"),
    log:
        f"{logs}/shards/everyone/{{chromosome}}.log",
    benchmark:
        f"{times}/shards/everyone/{{chromosome}}.tsv"

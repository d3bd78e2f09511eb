# haplorag: from a phased reference panel to imputed genotypes and a report.
#
# artifact under results/                      rule
# -------------------------------------------  ----------------------------------------------
# demo/{chromosome}.vcf.gz, panel.tsv, target  demo         simulated default panel
# samples/samples.tsv                          samples      who is reference, validation, test
# genotypes/{chromosome}.h5, .tally.tsv        genotypes    phased haplotypes, exact
# frequencies/{chromosome}.h5                  frequencies  of reference people only
# relatives/relatives.tsv                     relatives    who is parent and child, or siblings
# windows/{chromosome}.h5, .tsv                windows      core sites and flanks
# shards/{chromosome}/                         shards       reference haplotypes, packed
# masks/{draw}/{chromosome}.h5, .tsv           masks        which sites are hidden
# neighbours/{draw}/{chromosome}.h5            neighbours   retrieved haplotypes
# training/{model}/000/                        untrained    first weights
# training/{model}/{epoch}/                    training     one epoch a job
# imputer/{model}/                             imputer      all that imputation needs
# baselines/{chromosome}.h5                    baselines    what simple methods say
# exports/{chromosome}/                       exports      what peers are given
# peers/{peer}/{chromosome}.h5                 peers        what other tools say
# predictions/{model}/{chromosome}.h5          predictions  what the models say
# evaluation/*.tsv, summary.json               evaluation   accuracy, with baselines
# plots/{figure}.svg                           plots
# report/report.html                           report       one self-contained file
# comparison/comparison.html                   comparison   this run beside others
# imputation/{target}.vcf.gz, .sites.tsv       imputation   a user's own VCF


configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/use.smk"


rule all:
    default_target: True
    input:
        f"{results}/report/report.html",
        imputed,


rule compare:
    input:
        rules.comparison.output,


rule impute:
    input:
        imputed,

"""A target's quality: what was expected of its sites, and what the truth says, by frequency."""

import gzip

import numpy as np
import pytest

from haplorag.errors import InputError
from haplorag.io.tables import read_table
from haplorag.settings import EvaluationSettings
from haplorag.steps.imputation import imputation
from haplorag.steps.quality import quality

SETTINGS = EvaluationSettings(
    maf_bins=[0.0, 0.05, 0.5], rare_maf=0.05, bootstrap=0, vote_neighbours=1
)


@pytest.fixture(scope="module")
def imputed(simulated, panel_imputer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imputed")
    target = simulated.folder / "demo/target.vcf.gz"
    section = simulated.settings.imputation
    imputation(
        panel_imputer, target, folder / "demo.vcf.gz", folder / "sites.tsv",
        settings=section, threads=2, gpus=0,
    )  # fmt: skip
    return folder / "demo.vcf.gz"


def judge(simulated, imputed, output, truth):
    quality(
        imputed, output, genotypes=[simulated.genotypes], frequencies=[simulated.frequencies],
        chromosomes=["1"], truth=truth, settings=SETTINGS,
    )  # fmt: skip
    return read_table(output, group=str).set_index("kind")


def test_the_truth_tells_how_good_it_is(simulated, imputed, tmp_path):
    truth = simulated.folder / "demo/target.truth.vcf.gz"
    table = judge(simulated, imputed, tmp_path / "demo.tsv", truth)
    whole = table.loc["all"]
    assert whole["samples"] == simulated.settings.demo.target_people
    bins = table.loc["maf_bin"]
    assert bins["sites"].sum() == whole["sites"] > 100
    assert 0.5 < whole["r2"] <= 1 and whole["scored_sites"] < whole["sites"]
    assert 0 < whole["mean_R2"] <= 1


def test_a_truth_of_the_imputed_itself_is_perfect(simulated, imputed, tmp_path):
    # Calls of GT as the truth: dosages that are certain agree with it.
    table = judge(simulated, imputed, tmp_path / "demo.tsv", imputed)
    assert table.loc["all", "r2"] > 0.9


def test_without_a_truth_only_what_is_expected_is_told(simulated, imputed, tmp_path):
    table = judge(simulated, imputed, tmp_path / "demo.tsv", None)
    assert table.loc["all", "scored_sites"] == 0 and np.isnan(table.loc["all", "r2"])
    assert 0 < table.loc["all", "mean_R2"] <= 1


def test_by_what_it_was_phased_is_told(simulated, imputed, tmp_path):
    assert judge(simulated, imputed, tmp_path / "a.tsv", None)["phasing"].isna().all()
    text = gzip.decompress(imputed.read_bytes()).decode()
    told = "haplorag 0.1.0, against the panel"
    (tmp_path / "p.vcf").write_text(text.replace("#CHROM", f"##haplorag_phasing={told}\n#CHROM"))
    table = judge(simulated, tmp_path / "p.vcf", tmp_path / "b.tsv", None)
    assert set(table["phasing"]) == {told}


def test_a_truth_of_other_people_is_refused(simulated, imputed, tmp_path):
    other = simulated.folder / "demo/1.vcf.gz"
    with pytest.raises(InputError, match=r"1\.vcf\.gz"):
        judge(simulated, imputed, tmp_path / "demo.tsv", other)

"""The quality of a target: figures by eye, and a page that names nobody."""

import re

import numpy as np
import pandas as pd
import pysam
import pytest

from haplorag.errors import InputError
from haplorag.imputation.target_qc import (
    ImputedQuality,
    QualityWatch,
    _mark_outliers,
    measure_inbreeding,
    tabulate_accuracy,
)
from haplorag.io.hdf5 import read_arrays
from haplorag.io.tables import read_table
from haplorag.panel.samples import find_samples
from haplorag.steps.imputation import imputation
from haplorag.vcf.writer import write_vcf
from support import find_faults, needs_chromium

PANEL = ("variants/POS", "variants/REF", "variants/ALT", "calldata/GT")


@pytest.fixture(scope="module")
def imputed(panel_imputer, simulated, tmp_path_factory):
    """Test samples with every sixth site typed, some of whose alleles are exchanged; imputed."""
    folder = tmp_path_factory.mktemp("quality")
    arrays = read_arrays(simulated.genotypes, "genotypes", *PANEL)
    people = find_samples(simulated.people, "test")
    rows = slice(None, None, 6)
    calls = arrays["calldata/GT"][rows][:, people].copy()
    frequency = calls.mean(axis=(1, 2))
    wrong = np.flatnonzero((frequency < 0.1) | (frequency > 0.9))[:2]
    calls[wrong] = 1 - calls[wrong]
    calls[:20, 0] = -1
    alleles = np.stack([arrays["variants/REF"], arrays["variants/ALT"]], axis=1)[rows]
    names = [f"SECRET{number}" for number in range(len(people))]
    position = arrays["variants/POS"][rows]
    write_vcf(folder / "t.vcf.gz", names, {"1": (position, alleles, calls)})
    imputation(
        panel_imputer, folder / "t.vcf.gz", folder / "o.vcf.gz", folder / "sites.tsv",
        settings=simulated.settings.imputation, qc=folder / "o.qc.html",
    )  # fmt: skip
    return folder, position[wrong], names


def figures(folder):
    table = read_table(folder / "o.qc.tsv", name=str, value=str)
    return table.fillna("").set_index(["part", "name", "measure"])["value"]


def test_every_record_is_counted(imputed):
    folder, _, _ = imputed
    told = figures(folder)
    with pysam.VariantFile(str(folder / "t.vcf.gz")) as vcf:
        records = sum(1 for _ in vcf)
    assert int(told["records", "1", "records"]) == records
    fates = read_table(folder / "sites.tsv")["fate"].value_counts()
    assert {"typed": int(told["used", "typed", "alleles"])} == fates.to_dict()
    windows = told.loc["window"].unstack().astype(int)
    assert windows["typed"].sum() == windows["own"].sum() == records
    assert told["diagnosis", "", "build"] == "same"


def test_outliers_are_those_that_were_changed(imputed):
    folder, positions, _ = imputed
    page = (folder / "o.qc.html").read_text()
    assert len(positions) == 2 and all(f"<td>{place}</td>" in page for place in positions)
    assert int(figures(folder)["frequencies", "1", "outliers"]) >= 2


@needs_chromium
@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
def test_everybody_can_read_the_page(imputed, tmp_path, scheme):
    page = (imputed[0] / "o.qc.html").read_text()
    assert find_faults(tmp_path, page, scheme) == "checked true faults none"


def test_the_page_names_nobody_and_fetches_nothing(imputed, caplog):
    folder, _, names = imputed
    page = (folder / "o.qc.html").read_text()
    assert "SECRET" not in page and not re.search(r'(?:src|href)="https?:', page)
    people = read_table(folder / "o.qc.samples.tsv")
    assert people["sample"].tolist() == names
    assert people["call_rate"].idxmin() == 0 and (people["call_rate"][1:] == 1).all()
    assert people["expected_r2"].between(0, 1).all()


def test_accuracy_is_that_of_the_vcf(imputed, panel_imputer):
    folder, _, _ = imputed
    frequency = read_arrays(panel_imputer / "1/panel.h5", "panel")["frequency"]
    with pysam.VariantFile(str(folder / "o.vcf.gz")) as vcf:
        records = [(record.info["R2"], "IMP" in record.info) for record in vcf]
    r2, is_imputed = (np.array(column) for column in zip(*records, strict=True))
    common = is_imputed & (np.minimum(frequency, 1 - frequency) >= 0.05)
    told = figures(folder)
    assert int(told["accuracy", "MAF 0.05-0.5", "sites"]) == common.sum()
    assert float(told["accuracy", "MAF 0.05-0.5", "mean_r2"]) == pytest.approx(
        r2[common].mean(), abs=1e-3
    )
    # R2 has four digits in the VCF.
    assert int(told["accuracy", "MAF 0.05-0.5", "r2_0.8"]) == pytest.approx(
        (r2[common] >= 0.8).sum(), abs=1
    )


def test_expected_r2_is_the_true_one_where_probabilities_are_honest():
    generator = np.random.default_rng(5)
    frequency = generator.uniform(0.05, 0.5, 4000)
    certainty = 20.0
    # Probabilities of which a share of `frequency` are alleles ALT, and truths drawn from them.
    probability = generator.beta(
        certainty * frequency, certainty * (1 - frequency), (4, 4000)
    ).astype(np.float32)
    watch = QualityWatch(frequency, np.zeros(4000, dtype=bool), 2)
    unknown = np.full(probability.shape, -1, dtype=np.int8)
    for sites in np.split(np.arange(4000), 2):
        watch.add(sites, unknown[:, sites], probability[:, sites])
    found = watch.finish(np.arange(4000), np.zeros(4000))
    # The variance of a beta is f (1 - f) / (certainty + 1): what is explained.
    assert 1 - found.unexplained / found.variance == pytest.approx(1 / (certainty + 1), abs=0.01)


def test_sex_is_told_by_heterozygotes():
    generator = np.random.default_rng(3)
    frequency = generator.uniform(0.1, 0.5, 800)
    position = np.linspace(1, 156_000_000, 800).astype(np.int64)
    haplotypes = (generator.random((8, 800)) < frequency).astype(np.int8)
    haplotypes[3] = haplotypes[2]
    haplotypes[5] = -2
    haplotypes[6:] = -1
    inbreeding = measure_inbreeding(haplotypes, frequency, position)
    assert abs(inbreeding[0]) < 0.2 and inbreeding[1] == 1 and inbreeding[2] == 1
    assert np.isnan(inbreeding[3])


def test_chance_makes_no_outlier():
    compared = pd.DataFrame(
        {"target": [0.75, 0.75, 0.5, 1.0], "panel": [0.5, 0.5, 0.5, 0.0], "known": [8, 400, 400, 8]}
    )
    assert _mark_outliers(compared, 1000)["outlier"].tolist() == [False, True, False, True]


def test_bins_of_accuracy_by_eye():
    found = ImputedQuality(
        np.array([0.002, 0.3, 0.7, 0.9995, 0.5]),
        np.array([0.1, 0.9, 0.4, 0.35, 1.0]),
        np.array([False, False, False, False, True]),
        np.zeros(1),
        np.ones(1),
    )
    table = tabulate_accuracy([found]).set_index("maf")
    assert table["sites"].tolist() == [2, 0, 0, 2]
    assert table.loc["0.05-0.5", ["r2_0.3", "r2_0.8"]].tolist() == [2, 1]
    assert table.loc["0-0.005", "r2_0.3"] == 1


def test_a_refused_target_is_shown_too(panel_imputer, simulated, tmp_path):
    arrays = read_arrays(simulated.genotypes, "genotypes", *PANEL)
    alleles = np.stack([arrays["variants/REF"], arrays["variants/ALT"]], axis=1)
    position = arrays["variants/POS"].copy()
    position[10:] += 1
    calls = arrays["calldata/GT"][:, :2]
    kept = np.unique(position, return_index=True)[1]
    region = position[kept], alleles[kept], calls[kept]
    write_vcf(tmp_path / "t.vcf.gz", ["SECRET1", "SECRET2"], {"1": region})
    with pytest.raises(InputError, match=r"refused\.html shows its quality"):
        imputation(
            panel_imputer, tmp_path / "t.vcf.gz", tmp_path / "o.vcf.gz", tmp_path / "sites.tsv",
            settings=simulated.settings.imputation, qc=tmp_path / "o.qc.html",
            refusal=tmp_path / "refused.html",
        )  # fmt: skip
    page = (tmp_path / "refused.html").read_text()
    assert "Not imputed" in page and "SECRET" not in page
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "refused.html", "t.vcf.gz", "t.vcf.gz.tbi",
    ]  # fmt: skip

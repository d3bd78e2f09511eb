"""The command line: what it says, what it makes, and how it ends."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

from haplorag.commands import preparation, workflow
from haplorag.commands.defaults import default_of, load_settings, meaning_of
from haplorag.commands.main import app
from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.imputation.imputer import open_imputer, open_panel_chromosome
from haplorag.steps.imputation import imputation
from haplorag.vcf.imputed import iterate_dosages, read_truth
from support import ROOT

COMMANDS = ("impute", "panel", "evaluate", "check", "report", "run")
HEAVY = {"numpy", "pandas", "pydantic", "torch", "numba", "h5py", "yaml", "snakemake"}


@pytest.fixture
def haplorag(capsys, caplog):
    """Call the command; gives its exit status, what it printed, and its errors."""

    def call(*words: object) -> tuple[int, str, str]:
        caplog.clear()
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words])
        errors = [entry.message for entry in caplog.records if entry.levelname == "error: "]
        return ended.value.code or 0, capsys.readouterr().out, "\n".join(errors)

    return call


def records_of(path: Path) -> list[str]:
    """Lines of a VCF but its header."""
    with gzip.open(path, "rt") as file:
        return [line for line in file if not line.startswith("#")]


def test_what_computes_is_not_loaded_for_help():
    code = "import sys, haplorag.commands.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "workflow", capture_output=True, text=True
    )
    assert not HEAVY & {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(haplorag, command):
    status, said, _ = haplorag(command, "--help")
    assert status == 0
    assert "Example" in said and f"haplorag {command} " in said
    # A flag without a word of help is followed by the next one.
    assert not re.search(r"│ +--[\w-]+ +(<\w+>)? +(\[default: .*\])? *│", said)


def test_defaults_and_their_meaning_are_those_of_the_configuration():
    assert default_of("imputation.batch_people") == "32"
    assert "where memory is short" in meaning_of("imputation.batch_people")
    assert load_settings([], ["imputation.batch_people=5"]).imputation.batch_people == 5


def test_an_imputer_is_made_of_a_panel_and_imputes(haplorag, simulated, tmp_path):
    demo, made = simulated.folder / "demo", tmp_path / "made"
    status, said, _ = haplorag("panel", demo / "1.vcf.gz", "-o", made, "--threads", 1)
    assert status == 0 and str(made) in said
    everybody = len(simulated.people)
    assert f"{2 * everybody:,} haplotypes" in said
    panel = open_panel_chromosome(open_imputer(made), "1")
    assert panel.shards.reference_haplotypes == 2 * everybody
    assert not (tmp_path / "made.unfinished").exists()
    output = tmp_path / "imputed.vcf.gz"
    status, said, _ = haplorag(
        "impute", demo / "target.vcf.gz", "--imputer", made, "-o", output, "--threads", 1
    )
    assert status == 0
    typed, rest = (
        int(re.search(rf"([\d,]+) {word}", said)[1]) for word in ("sites typed", "imputed")
    )
    assert typed + rest == len(panel.position) and 0 < typed < rest
    assert f"{simulated.settings.demo.target_people} people" in said
    for path in (output, tmp_path / "imputed.sites.tsv"):
        assert str(path) in said and path.exists()
    assert "chromosomes that are not in the target" not in said
    settings = load_settings([], []).imputation
    again = tmp_path / "again.vcf.gz"
    imputation(made, demo / "target.vcf.gz", again, tmp_path / "a.tsv", settings=settings)
    assert records_of(output) == records_of(again)
    assert pysam.VariantFile(str(output)).index is not None


def test_a_refused_input_is_one_line_and_status_2(haplorag, tmp_path):
    given = "impute", "a.vcf.gz", "--imputer", str(tmp_path), "-o", "b.vcf.gz"
    command = [sys.executable, "-m", "haplorag.commands.main", *given]
    done = subprocess.run(command, cwd=ROOT / "workflow", capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(r"haplorag: error: .*imputer.json: .*\n", done.stderr)
    status, _, error = haplorag("impute", "a.vcf.gz", "--imputer", tmp_path, "-o", "b.txt")
    assert status == 2 and "b.txt: ends in neither .vcf.gz nor .bcf" in error


def test_a_region_is_imputed_of_the_file_of_its_chromosome(
    haplorag, simulated, panel_imputer, tmp_path
):
    shutil.copy(simulated.folder / "demo/target.vcf.gz", tmp_path / "t.1.vcf.gz")
    given = "impute", tmp_path / "t.{chromosome}.vcf.gz", "--imputer", panel_imputer, "--threads", 1
    output = tmp_path / "i.{chromosome}.vcf.gz"
    status, _, error = haplorag(*given, "-o", output, "--region", "1:10000-9999")
    assert status == 2 and error.count("\n") == 0
    assert "imputation.region: 1:10000-9999 is neither CHROM nor CHROM:FROM-TO" in error
    status, _, error = haplorag(*given, "-o", output, "--region", "chr1:10000-60000")
    assert status == 0 and not error
    places = [int(line.split("\t")[1]) for line in records_of(tmp_path / "i.1.vcf.gz")]
    assert len(places) > 20 and places[0] >= 10000 and places[-1] <= 60000


def test_what_was_warned_of_stands_at_the_end(haplorag, simulated, panel_imputer, tmp_path):
    target = simulated.folder / "demo/1.vcf.gz"
    given = "--imputer", panel_imputer, "-o", tmp_path / "i.bcf", "--threads", 2
    status, said, error = haplorag("impute", target, *given)
    assert status == 0 and not error
    assert re.search(
        r"warnings?:\n(  - .*\n)*  - target_in_training=\d+ .*; use other people", said
    )


def test_an_interrupted_panel_goes_on_where_it_was(haplorag, simulated, tmp_path, monkeypatch):
    first = simulated.folder / "demo/1.vcf.gz"
    text = gzip.decompress(first.read_bytes()).decode()
    second = tmp_path / "2.vcf"
    # The last genotype has an allele that ALT does not list.
    second.write_text(re.sub(r"^1\t", "2\t", text, flags=re.M)[:-4] + "0|7\n")
    made = tmp_path / "made"
    call = "panel", first, second, "-o", made, "--threads", 1
    status, _, error = haplorag(*call)
    assert status == 2 and str(second) in error
    assert not made.exists()
    second.write_text(re.sub(r"^1\t", "2\t", text, flags=re.M))
    prepared = []
    run_steps = preparation._run_steps
    monkeypatch.setattr(
        preparation, "_run_steps", lambda job: (prepared.append(job.chromosome), run_steps(job))
    )
    assert haplorag(*call)[0] == 0
    assert prepared == ["2"]
    assert open_imputer(made).chromosomes == ["1", "2"]
    assert "is there already" in haplorag(*call)[2]


def test_a_pattern_stands_for_a_file_of_each_chromosome(haplorag, simulated, tmp_path):
    text = gzip.decompress((simulated.folder / "demo/1.vcf.gz").read_bytes()).decode()
    for name in ("1", "2"):
        changed = re.sub(r"^1\t", f"{name}\t", text, flags=re.M)
        (tmp_path / f"c{name}.vcf").write_text(changed)
    made = tmp_path / "made"
    status, said, _ = haplorag("panel", tmp_path / "c{chromosome}.vcf", "-o", made, "--threads", 2)
    assert status == 0 and "chromosomes 1, 2" in said
    assert open_imputer(made).chromosomes == ["1", "2"]
    status, _, error = haplorag("panel", tmp_path / "d{chromosome}.vcf", "-o", tmp_path / "other")
    assert status == 2 and "no such file for any chromosome" in error


def test_what_was_imputed_is_judged_by_the_truth(haplorag, simulated, panel_imputer, tmp_path):
    demo, imputed, table = simulated.folder / "demo", tmp_path / "i.vcf.gz", tmp_path / "a.tsv"
    target, truth = demo / "target.vcf.gz", demo / "target.truth.vcf.gz"
    haplorag("impute", target, "--imputer", panel_imputer, "-o", imputed, "--threads", 1)
    given = "--truth", truth, "--imputer", panel_imputer, "-o", table
    status, said, _ = haplorag("evaluate", imputed, *given, "--set", "evaluation.bootstrap=50")
    assert status == 0 and str(table) in said
    rows = pd.read_csv(table, sep="\t").set_index(["group", "metric"])
    dosages = dict(iterate_dosages(imputed))
    genotypes = read_truth(truth, list(pysam.VariantFile(str(imputed)).header.samples), ["1"])
    shared = [key for key in dosages if key in genotypes]
    assert len(shared) == rows.loc[("all", "r2"), "sites"] > 50
    r2 = dosage_r2_by_site(*(np.stack([d[key] for key in shared], 1) for d in (dosages, genotypes)))
    assert rows.loc[("all", "r2"), "value"] == pytest.approx(np.nanmean(r2))
    assert f"r2 {np.nanmean(r2):.4f}" in said
    assert (rows["low"] <= rows["high"]).all() or rows["low"].isna().any()
    right = [np.rint(dosages[key]) == genotypes[key] for key in shared]
    assert rows.loc[("all", "concordance"), "value"] == pytest.approx(np.mean(right))


def test_all_that_is_wrong_is_said_at_once(haplorag, tmp_path):
    given = [f"panel.{key}={tmp_path}/no.{key}" for key in ("vcf", "people")]
    status, _, error = haplorag("check", *(word for pair in given for word in ("--set", pair)))
    assert status == 2
    assert "no.vcf: no such file" in error and "no.people: no such file" in error
    status, said, _ = haplorag("check")
    assert status == 0 and "Found nothing wrong; chromosomes: 1, 2" in said


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("--config target=a.vcf.gz -- impute", "--config target=a.vcf.gz -- impute"),
        ("--quiet rules -- impute merge", "--quiet rules -- impute merge"),
        ("impute --cores 2", "impute --cores 2"),
        ("-- --help", "--help"),
    ],
)
def test_every_word_is_passed_on_to_snakemake(haplorag, monkeypatch, given, passed):
    seen = []
    monkeypatch.setattr(workflow, "_call_snakemake", lambda words: seen.append(words) or 0)
    assert haplorag("run", *given.split())[0] == 0
    assert seen == [passed.split()]


def test_making_an_imputer_and_imputing_load_no_torch(simulated, tmp_path):
    """Nor does a wheel of it have to be there: an import of it would fail."""
    demo, made = simulated.folder / "demo", tmp_path / "made"
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("raise ImportError('not to be loaded')\n")
    for words in (
        ("panel", demo / "1.vcf.gz", "-o", made),
        ("impute", demo / "target.vcf.gz", "--imputer", made, "-o", tmp_path / "o.vcf.gz"),
    ):
        command = [sys.executable, "-m", "haplorag.commands.main", *map(str, words)]
        path = os.pathsep.join([str(tmp_path), str(ROOT / "workflow")])
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

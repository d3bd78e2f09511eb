"""The plan: what runs, what reruns after a change, what stops before any job; and the tiny pipeline
from end to end.
"""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from haplorag.imputation.imputer import open_imputer, open_panel_chromosome
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.samples import read_samples
from haplorag.report.captions import CAPTIONS
from support import SOURCES, copy_checkout, read_config

pytestmark = pytest.mark.whole


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = ["snakemake", "--cores", "2", "--configfile", "tests/tiny.yaml", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )


def plan(folder: Path, *arguments: str) -> Counter:
    """Jobs per rule of a dry run, targets left out."""
    done = snakemake(folder, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    jobs = re.findall(r"^(?:rule|localrule) (\w+):", done.stdout, re.M)
    return Counter(job for job in jobs if job not in ("all", "impute"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copy_checkout(tmp_path_factory.mktemp("check out"), compiled=True)


@pytest.fixture(scope="module")
def finished(checkout):
    """The tiny pipeline, run once."""
    done = snakemake(checkout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return checkout


@pytest.fixture
def edited(finished):
    """Edit a source for one test: `edited(path, old, new)`."""
    before = {}

    def edit(name: str, old: str, new: str) -> None:
        path = finished / name
        before.setdefault(path, path.read_text())
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    yield edit
    for path, text in before.items():
        path.write_text(text)


def test_a_fresh_checkout_plans_every_stage(checkout):
    if (checkout / "results").exists():
        pytest.skip("already run")
    jobs = plan(checkout)
    assert jobs["training"] == 4
    # Those of validation together, two of the test and two epochs, of two chromosomes.
    assert jobs["masks"] == jobs["neighbours"] == 2 * 5
    assert set(jobs.values()) and not jobs["preflight"]


def test_the_pipeline_ends_in_a_report_and_an_imputed_vcf(finished):
    assert (finished / "results/report/report.html").stat().st_size > 10_000
    assert (finished / "results/imputation/demo.vcf.gz").exists()
    assert (finished / "results/imputation/demo.vcf.gz.tbi").exists()


def test_everybody_is_in_the_imputer_and_those_held_out_in_nothing_that_judges_it(finished):
    people = read_samples(finished / "results/samples/samples.tsv")
    reference = (people["role"] == "reference").sum()
    assert 0 < reference < len(people)
    imputer = open_imputer(finished / "results/imputer/li_stephens")
    assert open_panel_chromosome(imputer, "1").shards.reference_haplotypes == 2 * len(people)
    assert open_shards(finished / "results/shards/1").reference_haplotypes == 2 * reference


def test_an_imputer_without_those_held_out_is_made_where_it_is_asked_for(finished):
    assert plan(finished, "results/reference/imputer/li_stephens/imputer.json") == {
        "imputer_of_reference": 1
    }


def test_who_only_imputes_trains_and_judges_nothing(checkout):
    jobs = plan(checkout, "--forceall", "impute")
    data = {"genotypes", "frequencies", "windows", "shards"}
    everyone = {f"{word}_of_everyone" for word in data}
    assert set(jobs) == {"demo", "samples", *everyone, "imputer", "imputation"}
    alone = "samples={validation: 0, test: 0}"
    jobs = plan(checkout, "--forceall", "impute", "--config", alone)
    assert set(jobs) == {"demo", "samples", *data, "imputer", "imputation"}
    jobs = plan(checkout, "--forceall", "--config", alone)
    shown = {"relatives", "quality", "report"}
    assert set(jobs) == {"demo", "samples", *data, *shown, "imputer", "imputation"}


def test_a_network_that_nobody_can_validate_is_refused(checkout):
    settings = "imputation={model: copying}", "samples={validation: 0, test: 0}"
    done = snakemake(checkout, "--dry-run", "--config", *settings)
    assert done.returncode != 0
    assert "needs validation people" in done.stdout + done.stderr


def test_a_panel_of_ones_own_needs_no_demo(finished, tmp_path):
    for name in ("1.vcf.gz", "panel.tsv"):
        shutil.copy(finished / "results/demo" / name, tmp_path)
    vcf, people = f"'{tmp_path}/{{chromosome}}.vcf.gz'", f"'{tmp_path}/panel.tsv'"
    panel = f"panel={{vcf: {vcf}, people: {people}}}"
    jobs = plan(finished, "--config", panel, "chromosomes=['1']", "results=own")
    assert not {"demo", "imputation"} & set(jobs)


def test_a_target_of_several_files_is_a_job_for_each(finished, tmp_path):
    for chromosome in ("1", "2"):
        (tmp_path / f"study.{chromosome}.vcf.gz").write_bytes(
            (finished / "results/demo/target.vcf.gz").read_bytes()
        )
    assert plan(
        finished, "impute", "--config", f"target={tmp_path}/study.{{chromosome}}.vcf.gz"
    ) == {"imputation": 2}


def test_another_target_spares_those_that_are_done(finished, tmp_path):
    more = finished / "results/demo/target.vcf.gz"
    assert plan(
        finished, "impute", "--config", f'imputation={{"targets": {{"more": "{more}"}}}}'
    ) == {"imputation": 1}


def test_a_second_run_plans_nothing(finished):
    assert not plan(finished)


def test_touching_every_source_plans_nothing(finished):
    for name in SOURCES:
        for path in [finished / name, *(finished / name).rglob("*")]:
            if path.is_file():
                path.touch()
    assert not plan(finished)


# What shows everything together.
GATHERED = {"evaluation": 1, "plots": len(CAPTIONS), "report": 1, "card": 1}


def test_another_test_mask_makes_what_is_judged_under_it(finished):
    more = "masks={test: {sparse: {strategy: random, rate: 0.95}}}"
    each = {"masks": 2, "rates": 2, "neighbours": 2, "baselines": 2, "predictions": 2 * 2}
    assert plan(finished, "--config", more) == each | GATHERED


def test_a_test_mask_that_is_gone_makes_nothing_anew(finished):
    assert plan(finished, "--config", "masks={test: {hide_50: null}}") == GATHERED


def test_another_tool_runs_under_every_test_mask(finished):
    theirs = finished / "results/demo/target.vcf.gz"
    jobs = plan(finished, "--config", f"peers={{theirs: {{file: {theirs}}}}}")
    each = {"exports": 2 * 2, "exports_of_reference": 2, "peers": 2 * 2}
    assert jobs == each | GATHERED


def test_the_panel_is_compressed_for_minimac4_once_a_chromosome(checkout):
    jobs = plan(
        checkout, "--forceall", "--config", "peers={a: {tool: minimac4}, b: {tool: beagle}}"
    )
    assert jobs["compression"] == jobs["exports_of_reference"] == 2
    assert jobs["peers"] == 2 * 2 * 2


def test_another_model_spares_those_that_are_trained(finished, tmp_path):
    described = read_config("tests/tiny.yaml")["network"]["embedding_rag_v18"]
    more = {"network": {"third": described}, "models": ["copying", "embedding_rag_v18", "third"]}
    (tmp_path / "more.yaml").write_text(json.dumps(more))
    jobs = plan(finished, "--config", f"overlay={tmp_path}/more.yaml")
    assert jobs == {"untrained": 1, "training": 2, "predictions": 2 * 2} | GATHERED


def test_a_model_that_is_gone_makes_nothing_anew(finished):
    assert plan(finished, "--config", "models=[copying]") == GATHERED


def test_where_no_network_is_trained_only_the_test_is_drawn(checkout):
    jobs = plan(checkout, "--forceall", "--config", "models=[]")
    assert jobs["masks"] == jobs["rates"] == jobs["neighbours"] == jobs["baselines"] == 2 * 2
    assert not {"untrained", "training", "predictions"} & set(jobs)


def test_a_target_that_is_gone_makes_nothing_anew(finished):
    gone = "imputation={targets: {demo: null}, truth: {demo: null}}"
    assert plan(finished, "--config", gone) == {"report": 1}


def test_a_chromosome_that_is_gone_leaves_the_data_of_the_other(finished, tmp_path):
    """On a panel of one's own; that of the demo is simulated anew, with all its chromosomes."""
    shutil.copytree(finished, tmp_path / "own")
    panel = tmp_path / "own/results/demo"
    told = {"vcf": f"{panel}/{{chromosome}}.vcf.gz", "people": f"{panel}/panel.tsv"}
    overlay = {"panel": told, "imputation": {"targets": {"demo": f"{panel}/target.vcf.gz"}}}
    (tmp_path / "own.yaml").write_text(json.dumps(overlay))
    given = "--config", f"overlay={tmp_path}/own.yaml"
    # As if all had been made of it.
    assert snakemake(tmp_path / "own", *given, "--touch").returncode == 0
    jobs = plan(tmp_path / "own", *given, "chromosomes=['1']")
    judged = {"relatives", "untrained", "training", "predictions", *GATHERED}
    assert set(jobs) == judged | {"imputer", "imputation", "quality"}


def test_raising_epochs_trains_only_the_new_ones(finished):
    jobs = plan(finished, "--config", "training={epochs: 4}")
    assert jobs["training"] == 4
    assert jobs["neighbours"] == 4
    assert not jobs["untrained"]
    assert not jobs["shards"]


def test_editing_figures_plans_plots_and_report_only(finished, edited):
    edited("workflow/haplorag/report/accuracy_figures.py", "FARTHEST = 0.1", "FARTHEST = 0.2")
    assert set(plan(finished)) == {"plots", "report"}


def test_editing_the_network_spares_the_data_stages(finished, edited):
    edited("workflow/haplorag/network/copying.py", "TINY = 1e-9", "TINY = 2e-9")
    jobs = set(plan(finished))
    assert {"untrained", "training", "predictions", "evaluation", "report"} <= jobs
    assert not jobs & {
        "genotypes",
        "frequencies",
        "windows",
        "shards",
        "masks",
        "neighbours",
        "baselines",
    }


def test_a_comment_plans_nothing(finished, edited):
    edited("workflow/haplorag/masking.py", "import numpy", "# a remark\nimport numpy")
    assert not plan(finished)


def test_a_function_that_nobody_calls_plans_nothing(finished, edited):
    spare = "def nobody_calls_this(rows):\n    return len(rows)\n\n\n"
    for name, before in (
        ("io/hdf5", "def write_arrays("),
        ("evaluation/metrics", "def group_by_maf("),
    ):
        edited(f"workflow/haplorag/{name}.py", before, spare + before)
    assert not plan(finished)


def test_changing_one_section_reruns_what_depends_on_it(finished, edited):
    edited("tests/tiny.yaml", "bootstrap: 20", "bootstrap: 21")
    assert set(plan(finished)) == {"evaluation", "card", "quality", "plots", "report"}


def test_what_changes_no_result_reruns_nothing(finished):
    told = "training={save_minutes: 1, tensorboard: true}", "imputation={batch_people: 7}"
    assert plan(finished, "--config", *told) == Counter()


def test_how_a_run_is_carried_out_reruns_nothing(finished):
    threads = [f"{rule}=1" for rule in ("training", "baselines", "predictions", "imputation")]
    machine = ["--set-resources", "imputation:mem_mb=9000", "training:gpu=2", "--retries", "2"]
    assert not plan(finished, "--set-threads", *threads, *machine)


def test_how_settings_are_weighed_trains_nothing_anew(finished):
    jobs = set(plan(finished, "--config", "li_stephens={mixture: {width: 5}}"))
    assert {"baselines", "imputer", "imputation"} <= jobs
    assert not jobs & {"rates", "neighbours", "untrained", "training", "predictions"}


def test_changing_one_model_spares_the_other(finished, edited):
    edited("tests/tiny.yaml", "embedding_rag_v18: {width: 16", "embedding_rag_v18: {width: 32")
    done = snakemake(finished, "--dry-run")
    assert "training/embedding_rag_v18" in done.stdout
    logs = re.findall(r"^    log: (.*)", done.stdout, re.M)
    assert not [log for log in logs if "training/copying" in log or "/neighbours/" in log]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "sed=3"], "sed: no such key; use `seed`"),
        (["--quiet", "all", "--config", "sed=3"], "sed: no such key; use `seed`"),
        (["--config", "samples={test: 0.99}"], "samples: validation + test must stay below 1"),
        (["--config", "panel={people: nowhere.tsv}"], "nowhere.tsv"),
        (["--config", "windows={core_sites: many}"], "windows.core_sites: input should be"),
    ],
)
def test_a_mistake_stops_before_any_job(checkout, arguments, message):
    done = snakemake(checkout, *arguments)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_chromosome_the_panel_lacks_stops_before_any_job(finished):
    vcf = "panel={vcf: results/demo/1.vcf.gz, people: results/demo/panel.tsv}"
    done = snakemake(finished, "--config", vcf, "chromosomes=[7]", "results=elsewhere")
    assert done.returncode != 0
    assert "7" in done.stderr and "1.vcf.gz" in done.stdout + done.stderr
    assert not (finished / "elsewhere").exists()


def test_lint_finds_nothing(checkout):
    done = snakemake(checkout, "--lint")
    assert "Congratulations" in done.stdout + done.stderr


@pytest.mark.parametrize(("gpu", "environment"), [(0, "cpu"), (1, "gpu")])
def test_the_gpus_environment_is_for_runs_that_ask_for_one(finished, edited, gpu, environment):
    edited("workflow/Snakefile", "rule all:", 'print("environment:", accelerated)\n\n\nrule all:')
    done = snakemake(finished, "--dry-run", "--resources", f"gpu={gpu}")
    assert f"environment: ../../envs/{environment}.yaml" in done.stdout


def test_whether_a_gpu_is_asked_reruns_nothing(finished):
    assert not plan(finished, "--resources", "gpu=0")


def test_the_snakemake_report_is_made(finished):
    done = snakemake(finished, "--report", "results/report.zip")
    assert done.returncode == 0, done.stderr
    assert (finished / "results/report.zip").stat().st_size > 10_000

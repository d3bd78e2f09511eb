"""The configuration is checked before anything runs, and a mistake names its key and its remedy."""

import copy

import pytest
import yaml

from haplorag.configuration import read_settings
from haplorag.errors import InputError
from haplorag.settings import Settings
from support import ROOT

CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def change(path: str, value: object) -> dict:
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    section = config
    for part in parents:
        section = section[part]
    section[last] = value
    return config


def test_the_default_configuration_is_valid():
    assert isinstance(read_settings(CONFIG), Settings)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("windows.core_site", 5, "windows.core_site: no such key; use `core_sites`"),
        ("window", {}, "window: no such key; use `windows`"),
        ("windows.core_sites", "many", "windows.core_sites: input should be a valid integer"),
        ("samples.test", 0.95, "samples: validation + test must stay below 1"),
        ("masks.test.array", {"strategy": "array"}, "masks: test.array needs a rate"),
        (
            "masks.validation.array",
            {"strategy": "given"},
            "masks.validation.array: strategy `given` needs `file`",
        ),
        ("models", ["copying", "unheard_of"], "unheard_of not described under network"),
        ("network.copying.heads", 5, "width 32 must be a multiple of heads 5"),
        ("network.copying.training", {"rate": 1}, "rate"),
        (
            "imputation.model",
            "token_rag_v10",
            "imputation.model: token_rag_v10 is neither li_stephens nor among models",
        ),
        (
            "imputation",
            CONFIG["imputation"] | {"merged": {"study": ["demo"]}, "output": "bcf"},
            "imputation: output: batches are merged from vcf.gz only",
        ),
        ("chromosomes", ["1", "1"], "chromosomes: a name stands twice"),
        ("chromosomes", ["../1"], "chromosomes.0"),
        ("imputation.region", "20:5-4", "imputation.region: 20:5-4 is neither CHROM nor"),
        ("imputation.region", "20:0-4", "imputation.region: 20:0-4 is neither CHROM nor"),
        ("imputation.region", "20:1,000-4", "imputation.region: 20:1,000-4 is neither CHROM nor"),
        ("evaluation.maf_bins", [0.5, 0.1], "maf_bins are edges and must rise"),
    ],
)
def test_a_mistake_names_its_key_and_remedy(path, value, message):
    with pytest.raises(InputError, match="config: ") as caught:
        read_settings(change(path, value))
    assert message in str(caught.value)


def test_every_mistake_is_reported_at_once():
    config = change("windows.core_sites", -1)
    config["sed"] = 3
    with pytest.raises(InputError) as caught:
        read_settings(config)
    assert len(str(caught.value).splitlines()) == 2


def test_an_overlay_takes_an_entry_away_with_null():
    assert "hide_50" not in read_settings(change("masks.test.hide_50", None)).masks.test


def test_a_region_chooses_among_files_of_chromosomes():
    config = change("imputation.region", 2)
    config["imputation"]["targets"] = {"study": "study.{chromosome}.vcf.gz", "one": "one.vcf.gz"}
    config["imputation"]["truth"] = {}
    expected = {"study.2": "study.2.vcf.gz", "one": "one.vcf.gz"}
    assert read_settings(config).imputation.targets == expected
    config["imputation"]["region"] = "chr9:1-5"
    with pytest.raises(InputError, match="region: chr9:1-5 is on none of chromosomes: 1, 2"):
        read_settings(config)


def test_a_chromosome_may_be_written_as_a_number():
    assert read_settings(change("chromosomes", [21])).chromosomes == ["21"]


def test_a_models_own_training_values_win():
    settings = read_settings(change("network.copying.training", {"learning_rate": 0.5}))
    assert settings.training_of("copying").learning_rate == 0.5
    assert (
        settings.training_of("embedding_rag_v18").learning_rate
        == CONFIG["training"]["learning_rate"]
    )


def test_one_target_stands_for_those_listed():
    config = {**copy.deepcopy(CONFIG), "target": "/some where/my $(touch x).vcf.gz"}
    assert read_settings(config).imputation.targets == {
        "my___touch_x_": "/some where/my $(touch x).vcf.gz"
    }


@pytest.mark.parametrize("word", ["listed", "named"])
def test_a_target_with_a_file_a_chromosome_is_a_target_each(word):
    config = {**copy.deepcopy(CONFIG), "chromosomes": ["7", "X"]}
    if word == "listed":
        config["imputation"]["targets"] = {
            "study": "{data}/study.{chromosome}.vcf.gz",
            "whole": "a.vcf.gz",
        }
        others = {"whole": "a.vcf.gz"}
    else:
        config["target"], others = "{data}/study.{chromosome}.vcf.gz", {}
    expected = {f"study.{name}": f"{{data}}/study.{name}.vcf.gz" for name in ("7", "X")}
    assert read_settings(config).imputation.targets == expected | others


def test_the_demos_target_goes_with_the_demos_panel(config):
    assert list(read_settings(config).imputation.targets) == ["demo"]
    config["panel"]["vcf"] = "{data}/chr{chromosome}.vcf.gz"
    checked = read_settings(config).imputation
    assert checked.targets == {} and checked.truth == {}
    config["imputation"]["targets"]["study"] = "study.vcf.gz"
    assert list(read_settings(config).imputation.targets) == ["study"]


@pytest.mark.parametrize("panel", ["{results}/demo/{chromosome}.vcf.gz", "mine.vcf.gz"])
def test_the_demos_truth_judges_no_target_of_its_name(config, panel):
    config["panel"]["vcf"] = panel
    config["imputation"]["targets"]["demo"] = "mine.vcf.gz"
    checked = read_settings(config).imputation
    assert checked.targets == {"demo": "mine.vcf.gz"} and checked.truth == {}


@pytest.mark.parametrize("nothing", [None, "null"])
def test_an_entry_is_taken_away_by_null(config, nothing):
    config["masks"]["test"]["hide_50"] = config["imputation"]["targets"]["demo"] = nothing
    checked = read_settings(config)
    assert "hide_50" not in checked.masks.test and not checked.imputation.targets


def test_a_truth_of_no_target_is_refused(config):
    config["imputation"]["truth"]["stdy"] = "truth.vcf.gz"
    with pytest.raises(InputError, match=r"imputation\.truth: stdy is not among"):
        read_settings(config)

"""How accurate an imputer was: figures of the evaluation, in its folder, which opens with them."""

import re

from haplorag.evaluation.tables import read_accuracy
from haplorag.imputation.imputer import open_imputer
from haplorag.steps.card import card
from support import gather_imputer


def test_an_imputer_names_the_accuracy_it_was_judged_at(judged, simulated, tmp_path):
    folder = gather_imputer(simulated, tmp_path / "li_stephens")
    assert "haplorag impute target.vcf.gz --imputer ." in (folder / "README.md").read_text()
    table = judged[0] / "accuracy.tsv"
    words = ["hide_50: half of the sites"]
    card(table, simulated.samples, folder / "ACCURACY.md", model="guesses", masks=words)
    text = (folder / "ACCURACY.md").read_text()
    found = read_accuracy(table)
    row = found[
        (found["method"] == "guesses") & (found["metric"] == "r2") & (found["mask"] == "hide_50")
        & (found["chromosome"] == "") & (found["population"] == "") & (found["group"] == "0.05-0.5")
    ]  # fmt: skip
    line = re.search(r"^\| hide_50 \|.*", text, re.M)[0]
    assert f"{row['value'].item():.3f} ({row['low'].item():.3f}" in line
    assert f"{(simulated.people['role'] == 'test').sum()} test people" in text
    assert words[0] in text
    # It may be written anew, and come after the checksums of all else.
    assert open_imputer(folder).chromosomes == ["1"]
    card(table, simulated.samples, folder / "ACCURACY.md", model="knows", masks=words)
    gather_imputer(simulated, folder)
    card(table, simulated.samples, folder / "ACCURACY.md", model="guesses", masks=words)
    assert open_imputer(folder).chromosomes == ["1"]

"""A target that is not phased is phased and imputed, and can be looked at."""

import re
import shutil
import subprocess

import numpy as np
import pysam
import pytest

from haplorag.errors import InputError
from haplorag.imputation import engine
from haplorag.io.tables import read_table
from haplorag.phasing.panel_model import Phaser
from haplorag.steps.imputation import imputation
from haplorag.steps.merger import merger
from haplorag.steps.phasing import phasing


@pytest.fixture(scope="module")
def chosen(simulated):
    return simulated.settings.phasing.model_copy(update={"states": 100, "burn_in": 4, "sweeps": 4})


def rewrite(source, path, change, extra=()):
    """Write a VCF with every record's columns changed, and two records of the caller's own."""
    with pysam.VariantFile(str(source)) as vcf:
        lines = [str(record).rstrip("\n").split("\t") for record in vcf]
        header = str(vcf.header)
    lines = [change(row, line) for row, line in enumerate(lines)]
    text = "".join("\t".join(line) + "\n" for line in [*extra, *lines])
    if ":PS" in text:
        header = header.replace(
            "#CHROM",
            '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="."\n#CHROM'.replace(
                '."\n', '.">\n'
            ),
        )
    path.write_text(header + text)
    return path


def read_calls(path, field="GT"):
    with pysam.VariantFile(str(path)) as vcf:
        return {
            (record.pos, record.alts): [
                (call["GT"], call.phased) if field == "GT" else call.get(field)
                for call in record.samples.values()
            ]
            for record in vcf
        }


def unphase(_, line):
    return [*line[:9], *("/".join(sorted(cell.split("|"))) for cell in line[9:])]


@pytest.fixture(scope="module")
def unphased(simulated, tmp_path_factory):
    source = simulated.folder / "demo/target.vcf.gz"
    people = pysam.VariantFile(str(source)).header.samples
    # A site that the panel does not have.
    other = ["1", "1", ".", "A", "C", ".", ".", ".", "GT", *["0/1"] * len(people)]
    folder = tmp_path_factory.mktemp("phasing")
    return rewrite(source, folder / "t.vcf", unphase, [other])


@pytest.fixture(scope="module")
def phased(panel_imputer, unphased, chosen):
    output = unphased.with_name("phased.vcf.gz")
    phasing(panel_imputer, unphased, output, settings=chosen, threads=2)
    return output


def count_errors(found, truth):
    """Switch errors, and how many neighbouring heterozygotes there are."""
    sites = [place for place in truth if place in found]
    errors = pairs = 0
    for person in range(len(truth[sites[0]])):
        turns = [
            found[place][person][0] == truth[place][person][0]
            for place in sites
            if len(set(truth[place][person][0])) > 1
        ]
        errors += int(np.sum(np.diff(turns)))
        pairs += len(turns) - 1
    return errors, pairs


def test_phase_is_found_and_genotypes_stay(phased, unphased, simulated):
    truth = read_calls(simulated.folder / "demo/target.vcf.gz")
    found, before = read_calls(phased), read_calls(unphased)
    assert list(found) == list(before)
    for place, calls in before.items():
        assert [sorted(call) for call, _ in calls] == [sorted(call) for call, _ in found[place]]
        assert [is_phased for _, is_phased in found[place]] == [place in truth] * len(calls)
    errors, pairs = count_errors(found, truth)
    assert errors < 0.1 * pairs and pairs > 200
    header = str(pysam.VariantFile(str(phased)).header)
    assert "##haplorag_phasing=haplorag " in header


@pytest.fixture
def impute(panel_imputer, simulated, tmp_path):
    def run(source, phasing, name="o", imputer=panel_imputer, **more):
        output = tmp_path / f"{name}.vcf.gz"
        imputation(
            imputer, source, output, tmp_path / "sites.tsv",
            settings=simulated.settings.imputation, phasing=phasing, **more,
        )  # fmt: skip
        return output

    return run


def say_phasing(path):
    header = str(pysam.VariantFile(str(path)).header)
    return [line for line in header.splitlines() if line.startswith("##haplorag_phasing=")]


def test_without_draws_a_target_is_imputed_as_it_is_phased(impute, unphased, phased, chosen):
    alone = chosen.model_copy(update={"draws": 0})
    outputs = [impute(unphased, alone, "direct"), impute(phased, alone, "after")]
    direct, after = map(read_calls, outputs)
    assert direct == after
    assert direct[1, ("C",)] == [((0, 1), False)] * len(direct[1, ("C",)])
    assert [len(say_phasing(output)) for output in outputs] == [1, 0]


def test_a_target_is_imputed_from_all_draws(
    impute, unphased, phased, chosen, monkeypatch, tmp_path
):
    """The dosage is the mean of those of each draw, imputed by itself; typed genotypes are as they
    were phased.
    """
    # Few states and no sweeps before those that count, so that draws differ.
    wild = chosen.model_copy(update={"states": 8, "burn_in": 0})
    seen = []
    phase = Phaser.phase
    monkeypatch.setattr(Phaser, "phase", lambda *given: seen.append(phase(*given)) or seen[-1])
    mean = impute(unphased, wild, "mean")
    assert say_phasing(mean)[0].endswith("against the panel, imputed from 4 phases")
    single = []
    for draw in range(4):
        rows = iter([found[[draw]] for found in seen])
        monkeypatch.setattr(Phaser, "phase", lambda *_, rows=rows: next(rows))
        output = impute(unphased, wild.model_copy(update={"draws": 0}), f"draw{draw}")
        single.append(read_calls(output, "DS"))
    typed = read_calls(phased)
    differ = 0
    for place, calls in read_calls(mean, "DS").items():
        if place in typed:
            continue
        each = np.array([found[place] for found in single])[..., 0]
        np.testing.assert_allclose(np.array(calls)[:, 0], each.mean(axis=0), atol=2e-3)
        differ += int((np.ptp(each, axis=0) > 0.1).sum())
    assert differ > 10
    best, found = read_calls(tmp_path / "draw0.vcf.gz"), read_calls(mean)
    assert all(found[place] == best[place] for place in typed)


@pytest.mark.parametrize("kind", ["panel", "network"])
def test_a_person_alone_is_imputed_as_among_others(
    impute, unphased, chosen, panel_imputer, imputer_folder, kind, tmp_path
):
    """From draws, in batches of other people, on other numbers of threads."""
    name = list(pysam.VariantFile(str(unphased)).header.samples)[1]
    alone = tmp_path / "alone.vcf"
    pysam.bcftools.view("-s", name, "-o", str(alone), str(unphased), catch_stdout=False)
    imputer = panel_imputer if kind == "panel" else imputer_folder
    among = impute(unphased, chosen, "all", imputer, threads=2)
    single = impute(alone, chosen, "one", imputer)
    for field in ("GT", "GP", "HDS"):
        mine = [calls[0] for calls in read_calls(single, field).values()]
        theirs = [calls[1] for calls in read_calls(among, field).values()]
        if kind == "panel":
            assert mine == theirs
        elif field != "GT":
            # The last bits of a network depend on how many people go together.
            pairs = [pair for pair in zip(mine, theirs, strict=True) if pair[0]]
            np.testing.assert_allclose(*zip(*pairs, strict=True), atol=2e-3)


def test_rates_are_estimated_once(impute, unphased, chosen, monkeypatch):
    asked = []
    estimate = engine.estimate_model
    monkeypatch.setattr(
        engine, "estimate_model", lambda *given: asked.append(1) or estimate(*given)
    )
    impute(unphased, chosen)
    assert len(asked) == 1


def test_the_page_says_by_what_a_target_was_phased(impute, unphased, simulated, chosen, tmp_path):
    people = str(len(pysam.VariantFile(str(unphased)).header.samples))
    impute(unphased, chosen, qc=tmp_path / "o.qc.html")
    assert re.search(
        f"relative phases of heterozygotes were chosen in {people} people by haplorag [^ ]*, against "
        "the panel, imputed from 4 phases", (tmp_path / "o.qc.html").read_text(),
    )  # fmt: skip
    table = read_table(tmp_path / "o.qc.tsv", name=str, value=str)
    told = table[table["part"] == "phasing"].set_index("measure")["value"]
    assert (
        told["phases"] == "4" and told["people"] == people and told["tool"].startswith("haplorag ")
    )
    impute(simulated.folder / "demo/target.vcf.gz", chosen, qc=tmp_path / "o.qc.html")
    assert "nothing was left to phase" in (tmp_path / "o.qc.html").read_text()


def test_merged_batches_say_by_what_they_were_phased(impute, unphased, simulated, chosen, tmp_path):
    name = list(pysam.VariantFile(str(unphased)).header.samples)[1]
    other = tmp_path / "other.vcf"
    pysam.bcftools.view("-s", f"^{name}", "-o", str(other), str(unphased), catch_stdout=False)
    one = tmp_path / "one.vcf"
    pysam.bcftools.view("-s", name, "-o", str(one), str(unphased), catch_stdout=False)
    batches = [impute(one, chosen, "a"), impute(other, chosen.model_copy(update={"draws": 0}), "b")]
    merger(tmp_path / "m.vcf.gz", batches=[*batches])
    expected = [line for batch in batches for line in say_phasing(batch)]
    assert len(set(expected)) == 2 and say_phasing(tmp_path / "m.vcf.gz") == expected


def test_what_is_phased_does_not_replace_the_target(panel_imputer, simulated, chosen, tmp_path):
    source = (simulated.folder / "demo/target.vcf.gz").read_bytes()
    (tmp_path / "t.vcf.gz").write_bytes(source)
    (tmp_path / "link.vcf.gz").symlink_to("t.vcf.gz")
    for name in ("t.vcf.gz", "link.vcf.gz"):
        with pytest.raises(InputError, match="one would be lost"):
            phasing(panel_imputer, tmp_path / "t.vcf.gz", tmp_path / name, settings=chosen)
    assert (tmp_path / "t.vcf.gz").read_bytes() == source


def test_a_person_alone_is_phased_as_among_others(panel_imputer, phased, unphased, chosen):
    alone = unphased.with_name("alone.vcf")
    name = list(pysam.VariantFile(str(unphased)).header.samples)[1]
    pysam.bcftools.view("-s", name, "-o", str(alone), str(unphased), catch_stdout=False)
    output = alone.with_name("alone.vcf.gz")
    phasing(panel_imputer, alone, output, settings=chosen)
    one, all_ = read_calls(output), read_calls(phased)
    assert [calls[0] for calls in one.values()] == [calls[1] for calls in all_.values()]


@pytest.mark.parametrize("kind", ["vcf", "bcf"])
def test_phase_sets_are_kept(panel_imputer, simulated, chosen, tmp_path, kind):
    """Two sets, of which the second lies the other way round, and some sites in none."""

    def cut(row, line):
        if row % 9 == 0:
            return unphase(row, line)
        cells = [cell if row < 60 else cell[::-1] for cell in line[9:]]
        return [*line[:8], "GT:PS", *(f"{cell}:{1 + (row >= 60)}" for cell in cells)]

    source = simulated.folder / "demo/target.vcf.gz"
    target = rewrite(source, tmp_path / "t.vcf", cut)
    if kind == "bcf":
        pysam.bcftools.view("-Ob", "-o", str(tmp_path / "t.bcf"), str(target), catch_stdout=False)
        target = tmp_path / "t.bcf"
    phasing(panel_imputer, target, tmp_path / "o.vcf.gz", settings=chosen, threads=2)
    truth, found = read_calls(source), read_calls(tmp_path / "o.vcf.gz")
    places = list(truth)
    for low, high in ((0, 60), (60, len(places))):
        kept = {
            place: truth[place] for row, place in enumerate(places) if low <= row < high and row % 9
        }
        assert count_errors(found, kept)[0] == 0
    errors, pairs = count_errors(found, truth)
    assert errors < 0.05 * pairs


def test_sites_that_the_panel_lacks_go_with_what_was_phased(
    panel_imputer, simulated, chosen, tmp_path
):
    """What is phased keeps its order, so that a record that is not looked at is not turned
    against it; of one in a phase set nobody knows how it lies to the others.
    """

    def cut(row, line):
        return unphase(row, line) if row % 9 == 0 else line

    source = simulated.folder / "demo/target.vcf.gz"
    count = len(pysam.VariantFile(str(source)).header.samples)
    plain = ["1", "1", ".", "A", "C", ".", ".", ".", "GT", *["0|1"] * count]
    named = ["1", "2", ".", "A", "C", ".", ".", ".", "GT:PS", *["1|0:7"] * count]
    target = rewrite(source, tmp_path / "t.vcf", cut, [plain, named])
    phasing(panel_imputer, target, tmp_path / "o.vcf.gz", settings=chosen)
    before, found = read_calls(target), read_calls(tmp_path / "o.vcf.gz")
    assert found[1, ("C",)] == [((0, 1), True)] * count
    assert found[2, ("C",)] == [((1, 0), False)] * count
    kept = [place for row, place in enumerate(list(before)[2:]) if row % 9]
    assert all(found[place] == before[place] for place in kept)


def test_a_phased_target_stays_as_it_is(panel_imputer, simulated, chosen, tmp_path, caplog):
    source = simulated.folder / "demo/target.vcf.gz"
    with caplog.at_level("INFO", "haplorag"):
        phasing(panel_imputer, source, tmp_path / "o.vcf.gz", settings=chosen)
    assert read_calls(tmp_path / "o.vcf.gz") == read_calls(source)
    assert "nothing is left to phase" in caplog.text


def test_beagle_phases_where_it_is_asked_for(panel_imputer, unphased, chosen, simulated, tmp_path):
    if not shutil.which("beagle"):
        pytest.skip("Beagle is not installed")
    with_beagle = chosen.model_copy(update={"method": "beagle"})
    output = tmp_path / "o.vcf.gz"
    phasing(panel_imputer, unphased, output, settings=with_beagle)
    errors, pairs = count_errors(
        read_calls(output), read_calls(simulated.folder / "demo/target.vcf.gz")
    )
    assert errors < 0.1 * pairs
    assert "##haplorag_phasing=beagle." in str(pysam.VariantFile(str(output)).header)
    assert "_" not in subprocess.run(["ls", tmp_path], capture_output=True, text=True).stdout


def test_beagle_that_is_lacking_or_fails_is_told(
    panel_imputer, unphased, chosen, tmp_path, monkeypatch
):
    with_beagle = chosen.model_copy(update={"method": "beagle"})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"beagle: not installed; run .*method: panel"):
        phasing(panel_imputer, unphased, tmp_path / "o.vcf.gz", settings=with_beagle)
    (tmp_path / "beagle").write_text("#!/bin/sh\necho no such argument\nexit 3\n")
    (tmp_path / "beagle").chmod(0o755)
    with pytest.raises(InputError, match=r"exit status 3; fix phasing.arguments.*no such argument"):
        phasing(panel_imputer, unphased, tmp_path / "o.vcf.gz", settings=with_beagle)
    assert not (tmp_path / "o.vcf.gz").exists()

"""Chromosome X from a panel to the imputed VCF: men have one haplotype but for the chromosome's end."""

import gzip
import shutil
import subprocess

import numpy as np
import pysam
import pytest

import haplorag.steps.example as step_of_example
from haplorag.alleles import ABSENT, sum_dosages, sum_genotypes
from haplorag.commands.main import app
from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.imputation import target_qc
from haplorag.imputation.imputer import open_imputer, open_panel_chromosome
from haplorag.io.hdf5 import read_arrays
from haplorag.io.tables import read_table
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.samples import find_samples
from haplorag.settings import PeerSettings
from haplorag.steps.compression import compression
from haplorag.steps.demo import demo
from haplorag.steps.exports import exports
from haplorag.steps.imputation import imputation
from haplorag.steps.peers import peers
from support import SEED, Simulated, draw_one_mask, gather_imputer, prepare

PAR_END = 75_000


def rewrite(source, target, change):
    """Write a VCF with the genotypes of each record changed by a function of (position, calls)."""
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    for row, line in enumerate(lines):
        if not line.startswith("#"):
            words = line.split("\t")
            lines[row] = "\t".join([*words[:9], *change(int(words[1]), words[9:])])
    target.write_text("\n".join(lines) + "\n")
    return target


def make_haploid(men):
    """Men, by column, lose their second allele outside the pseudo-autosomal region."""

    def change(position, calls):
        if position <= PAR_END:
            return calls
        return [call[0] if number in men else call for number, call in enumerate(calls)]

    return change


def double(men):
    """Men are written as homozygotes where they are haploid."""

    def change(position, calls):
        single = make_haploid(men)(position, calls)
        return [call if "|" in call else f"{call}|{call}" for call in single]

    return change


@pytest.fixture(scope="module")
def women_and_men(tmp_path_factory, settings):
    """A panel on X in which every second person, the even ones, is a man; and a target likewise."""
    made = Simulated(tmp_path_factory.mktemp("x"), settings, "X")
    folder = made.folder
    paths = [folder / f"demo/{name}" for name in ("panel.tsv", "target.vcf.gz", "truth.vcf.gz")]
    vcf = folder / "demo/whole.vcf.gz"
    sizes = settings.demo.model_copy(update={"target_people": 12, "target_typed": 0.2})
    demo(*paths, vcf=[vcf], chromosomes=["X"], settings=sizes, seed=SEED)
    people = 3 * sizes.people_per_population
    prepare(made, rewrite(vcf, folder / "x.vcf", make_haploid(range(0, people, 2))), paths[0], SEED)
    return made


@pytest.fixture(scope="module")
def imputer_of_x(women_and_men):
    return gather_imputer(women_and_men, women_and_men.folder / "imputer/li_stephens")


@pytest.fixture
def impute(women_and_men, imputer_of_x, tmp_path):
    """Impute a target into `tmp_path`; gives GT, DS, GP and HDS of every person by position."""

    def run(target, imputer=imputer_of_x, **more):
        output = tmp_path / f"{target.stem}.vcf.gz"
        sites = tmp_path / "sites.tsv"
        settings = women_and_men.settings.imputation
        imputation(imputer, target, output, sites, settings=settings, **more)
        with pysam.VariantFile(str(output)) as vcf:
            return {record.pos: list(map(dict, record.samples.values())) for record in vcf}

    return run


def men_of(made):
    return (made.people["sex"] == "male").to_numpy()


def test_the_panel_has_one_haplotype_of_a_man(women_and_men):
    made = women_and_men
    arrays = read_arrays(made.genotypes, "genotypes")
    beyond = arrays["variants/POS"] > PAR_END
    absent = arrays["calldata/GT"][..., 1] == ABSENT
    np.testing.assert_array_equal(absent, beyond[:, None] & men_of(made))
    reference = find_samples(made.people, "reference")
    calls = arrays["calldata/GT"][:, reference].reshape(len(beyond), -1)
    shards = open_shards(made.shards)
    for sites in (np.flatnonzero(~beyond), np.flatnonzero(beyond)):
        there = calls[sites[0]] != ABSENT
        np.testing.assert_array_equal(shards.by_site(sites), calls[sites][:, there])
    counted = read_arrays(made.frequencies, "frequencies")
    known = calls >= 0
    np.testing.assert_array_equal(counted["allele_number"], known.sum(axis=1))
    share = (calls > 0).sum(axis=1) / known.sum(axis=1)
    np.testing.assert_allclose(counted["frequency"], share, atol=1e-6)


def test_no_window_mixes_ploidies(women_and_men):
    arrays = read_arrays(women_and_men.windows, "windows")
    position = read_arrays(women_and_men.genotypes, "genotypes", "variants/POS")["variants/POS"]
    for start, stop in zip(arrays["offset"], arrays["offset"][1:], strict=False):
        assert len(set(position[arrays["context"][start:stop]] > PAR_END)) == 1


def test_nobody_retrieves_their_own_haplotype(women_and_men):
    made = women_and_men
    found = read_arrays(made.drawn("neighbours", "001"), "neighbours")
    core = read_arrays(made.windows, "windows")["core"]
    ploidy = open_shards(made.shards).ploidy
    rank = np.cumsum(made.people["role"] == "reference") - 1
    for window, person, ids in zip(found["window"], found["person"], found["ids"], strict=True):
        rows = ploidy.number_rows(int(ploidy.find_stretch(core[window, 0])))
        own = np.arange(rows[rank[person]], rows[rank[person] + 1])
        assert not np.isin(ids, own).any()
        assert ids.max() < rows[-1]


@pytest.fixture
def targets(women_and_men, tmp_path):
    """The target with men as haploids, with men doubled, and the whole truth by position."""
    folder = women_and_men.folder / "demo"
    men = range(0, 12, 2)
    single = rewrite(folder / "target.vcf.gz", tmp_path / "single.vcf", make_haploid(men))
    doubled = rewrite(folder / "target.vcf.gz", tmp_path / "doubled.vcf", double(men))
    truth = rewrite(folder / "truth.vcf.gz", tmp_path / "truth.vcf", make_haploid(men))
    return single, doubled, read_calls(truth)


def read_calls(path):
    """Genotypes, as text, of every person by position."""
    lines = [line.split("\t") for line in path.read_text().splitlines() if line[0] != "#"]
    return {int(words[1]): words[9:] for words in lines}


def write_call(call):
    return "|".join(map(str, call["GT"]))


def test_haploid_calls_come_back_unchanged(impute, targets):
    single, _, _ = targets
    found = impute(single)
    for position, calls in read_calls(single).items():
        assert [write_call(call) for call in found[position]] == calls


@pytest.fixture
def network_of_x(women_and_men, trained):
    """The network of chromosome 1, which fits any, with the panel on X."""
    return gather_imputer(women_and_men, women_and_men.folder / "imputer/copying", trained)


@pytest.mark.parametrize("kind", ["panel", "network", "unphased"])
def test_men_come_out_as_haploids(impute, targets, women_and_men, kind, request, tmp_path):
    if kind == "network":
        found = impute(targets[0], request.getfixturevalue("network_of_x"))
    elif kind == "unphased":
        for_all = lambda _, calls: ["/".join(sorted(call.split("|"))) for call in calls]  # noqa: E731
        plain = tmp_path / "plain.vcf.gz"
        plain.write_bytes(gzip.compress(targets[0].read_bytes()))
        target = rewrite(plain, tmp_path / "unphased.vcf", for_all)
        chosen = women_and_men.settings.phasing.model_copy(update={"states": 60})
        found = impute(target, phasing=chosen)
    else:
        found = impute(targets[0])
    for position, calls in found.items():
        for number, call in enumerate(calls):
            ploidy = 1 if position > PAR_END and number % 2 == 0 else 2
            halves = np.ravel(call["HDS"])
            assert len(call["GT"]) == len(halves) == len(call["GP"]) - 1 == ploidy
            assert sum(call["GP"]) == pytest.approx(1, abs=2e-3)
            assert np.ravel(call["DS"])[0] == pytest.approx(sum(halves), abs=1e-3)


def test_heterozygotes_of_men_are_imputed_and_told(impute, women_and_men, tmp_path, caplog):
    """Men are known by what they lack at all sites, but for two mistakes of the first one."""
    truth = women_and_men.folder / "demo/truth.vcf.gz"
    whole = rewrite(truth, tmp_path / "whole.vcf", double(range(0, 12, 2)))
    places = [position for position in read_calls(whole) if position > PAR_END][:2]
    lines = [line.split("\t") for line in whole.read_text().splitlines()]
    for words in lines:
        if len(words) > 1 and words[1] in map(str, places):
            words[9] = "0|1"
    (tmp_path / "odd.vcf").write_text("".join("\t".join(words) + "\n" for words in lines))
    found = impute(tmp_path / "odd.vcf")
    assert "haploid_heterozygotes=2 genotypes" in caplog.text
    assert all(len(found[position][0]["GT"]) == 1 for position in places)


def test_men_are_imputed_as_well_as_women(impute, targets):
    single, _, truth = targets
    found, typed = impute(single), read_calls(single)
    positions = [place for place in found if place > PAR_END and place not in typed]
    share = {}
    for name, some in (("men", range(0, 12, 2)), ("women", range(1, 12, 2))):
        scale = 2 if name == "men" else 1
        dosage = [[scale * np.ravel(found[place][n]["DS"])[0] for n in some] for place in positions]
        true = [
            [scale * sum(map(int, truth[place][n].split("|"))) for n in some] for place in positions
        ]
        whole = np.array(dosage).reshape(1, -1), np.array(true).reshape(1, -1)
        share[name] = dosage_r2_by_site(whole[0].T, whole[1].T)[0]
    assert share["women"] > 0.85
    assert share["men"] > share["women"] - 0.05


def test_af_counts_a_man_once(women_and_men, imputer_of_x, targets, tmp_path):
    output = tmp_path / "af.vcf.gz"
    settings = women_and_men.settings.imputation
    imputation(imputer_of_x, targets[0], output, tmp_path / "s.tsv", settings=settings)
    with pysam.VariantFile(str(output)) as vcf:
        for record in vcf:
            halves = np.concatenate([np.ravel(call["HDS"]) for call in record.samples.values()])
            assert len(halves) == (18 if record.pos > PAR_END else 24)
            assert record.info["AF"][0] == pytest.approx(halves.mean(), abs=1e-3)


def test_who_is_in_the_file_changes_nothing(impute, targets, tmp_path):
    """A man alone comes out as he does among others."""
    single, _, _ = targets
    lines = [line.split("\t") for line in single.read_text().splitlines()]
    alone = ["\t".join(words if words[0].startswith("##") else words[:10]) for words in lines]
    (tmp_path / "alone.vcf").write_text("\n".join(alone) + "\n")
    together, apart = impute(single), impute(tmp_path / "alone.vcf")
    assert {place: calls[0] for place, calls in together.items()} == {
        place: calls[0] for place, calls in apart.items()
    }


def test_sexes_are_compared_with_what_is_said(impute, women_and_men, tmp_path, caplog, monkeypatch):
    """By all sites, so that X tells the sex; of the first two people the wrong one is said."""
    monkeypatch.setattr(target_qc, "PAR_ENDS", (PAR_END, 10 * PAR_END))
    truth = women_and_men.folder / "demo/truth.vcf.gz"
    whole = rewrite(truth, tmp_path / "whole.vcf", make_haploid(range(0, 12, 2)))
    names = list(pysam.VariantFile(str(whole)).header.samples)
    said = ["female", "male", *["male", "female"] * 4, "", "female"]
    rows = [f"{name}\t{sex}" for name, sex in zip(names, said, strict=True)]
    (tmp_path / "people.tsv").write_text("\n".join(["sample\tgender", *rows]) + "\n")
    found = impute(whole, people=tmp_path / "people.tsv", qc=tmp_path / "o.qc.html")
    table = read_table(tmp_path / "o.qc.samples.tsv", sex=str, gender=str)
    told = table["sex"].fillna("").tolist()
    assert told[0] == "male" and told[1] == "female" and told.count("") < 3
    assert table["gender"].fillna("").tolist() == said
    assert "sex_mismatch=2 people are of another sex by their genotypes on X" in caplog.text
    page = (tmp_path / "o.qc.html").read_text()
    assert "but said to be female" in page and "but said to be male" in page
    assert all(len(calls[0]["GT"]) == 1 for place, calls in found.items() if place > PAR_END)
    caplog.clear()
    impute(whole)
    assert "sex_mismatch" not in caplog.text


def test_the_reference_is_not_padded(imputer_of_x):
    panel = open_panel_chromosome(open_imputer(imputer_of_x), "X")
    ploidy = panel.shards.ploidy
    assert ploidy.count_haplotypes()[1] < ploidy.count_haplotypes()[0]


def test_everybody_is_as_people_one_by_one(imputer_of_x):
    shards = open_panel_chromosome(open_imputer(imputer_of_x), "X").shards
    people = np.arange(shards.ploidy.people.shape[1])
    for first in shards.ploidy.first:
        sites = first + np.array([0, 2, 3, 9])
        expected = shards.of_people(sites, people).T.reshape(len(sites), -1, 2)
        np.testing.assert_array_equal(shards.of_everybody(sites), expected)


@pytest.mark.parametrize("tool", ["beagle", "minimac4"])
def test_other_tools_impute_men_and_women(women_and_men, tmp_path, tool):
    if not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    made = women_and_men
    masks = tmp_path / "masks.h5"
    draw_one_mask(made, "test", "hide_50", masks)
    reference, target = tmp_path / "reference.vcf.gz", tmp_path / "target.vcf.gz"
    panel = made.genotypes, made.samples
    exports(*panel, reference, role="reference", chromosome="X")
    exports(*panel, target, role="test", chromosome="X", masks=masks)
    if tool == "minimac4":
        compression(reference, tmp_path / "reference.msav")
        reference = tmp_path / "reference.msav"
    peers(
        *panel, made.frequencies, masks, reference, target, tmp_path / "X.h5", peer=tool,
        settings=PeerSettings(tool=tool), chromosome="X",
    )  # fmt: skip
    said = read_arrays(tmp_path / "X.h5", "predictions")["probability"][0, 0].astype(float)
    arrays = read_arrays(made.genotypes, "genotypes")
    people = find_samples(made.people, "test")
    truth = arrays["calldata/GT"][:, people].swapaxes(0, 1)
    men = men_of(made)[people]
    (hidden,) = read_arrays(masks, "masks")["hidden"]
    sites = hidden & (arrays["variants/POS"] > PAR_END)
    for some in (men, ~men):
        mine, true = said[some][:, sites], truth[some][:, sites]
        assert ((true[..., 1] == ABSENT).all() == (some is men)) and not np.isnan(
            mine[..., 0]
        ).any()
        whole = sum_dosages(mine, true).reshape(-1, 1), sum_genotypes(true).reshape(-1, 1)
        assert dosage_r2_by_site(*whole)[0] > 0.7


def run(*words):
    """Call `haplorag`; gives its exit status."""
    with pytest.raises(SystemExit) as ended:
        app([str(word) for word in words])
    return ended.value.code or 0


@pytest.mark.parametrize(("chromosome", "each"), [("MT", 1), ("X", 2)])
def test_who_is_haploid_all_along_is_imputed(tmp_path, settings, caplog, chromosome, each):
    """Everybody on the mitochondrion; men on an X that is cut where its ends begin."""

    def single(_, calls):
        return [call if number % each else call[0] for number, call in enumerate(calls)]

    paths = [tmp_path / name for name in ("panel.tsv", "target.vcf.gz", "truth.vcf.gz")]
    whole, imputed = tmp_path / "whole.vcf.gz", tmp_path / "imputed.vcf.gz"
    sizes = settings.demo.model_copy(update={"target_people": 8, "target_typed": 0.2})
    demo(*paths, vcf=[whole], chromosomes=[chromosome], settings=sizes, seed=SEED)
    panel, target, truth = (
        rewrite(path, tmp_path / f"{path.name}.{each}.vcf", single) for path in (whole, *paths[1:])
    )
    made = tmp_path / "made"
    assert run("panel", panel, "-o", made, "--threads", 1) == 0
    assert run("impute", target, "--imputer", made, "-o", imputed, "--threads", 1) == 0
    said, true = map(read_halves, (imputed, truth))
    for calls in said.values():
        assert [len(halves) for halves in calls] == [1 + bool(number % each) for number in range(8)]
    sites = sorted(said.keys() & true.keys())
    both = [np.array([np.concatenate(one[site]) for site in sites]).T for one in (said, true)]
    assert len(sites) > 300 and np.nanmean(dosage_r2_by_site(*both)) > 0.8


def test_alike_on_the_mitochondrion_is_not_the_same_person(tmp_path, caplog):
    lines = [
        f"MT\t{site}\t.\tA\tC\t.\t.\t.\tGT\t{site % 2}\t{site % 2}\t1" for site in range(1, 150)
    ]
    head = "##fileformat=VCFv4.2\n##contig=<ID={}>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc"
    for name, odd in (("MT", False), ("X", True)):
        caplog.clear()
        text = "\n".join([head.format(name), *lines]).replace("MT\t", f"{name}\t") + "\n"
        (tmp_path / f"{name}.vcf").write_text(text)
        assert run("panel", tmp_path / f"{name}.vcf", "-o", tmp_path / name, "--threads", 1) == 0
        assert ("duplicate_genome_pairs=1" in caplog.text) is odd


def read_halves(path):
    """Probabilities of ALT, or alleles, of each person by site."""
    with pysam.VariantFile(str(path)) as vcf:
        return {
            (record.pos, record.alts): [
                list(map(float, np.ravel(call.get("HDS", call["GT"]))))
                for call in record.samples.values()
            ]
            for record in vcf
        }


def test_y_is_refused(women_and_men, tmp_path, caplog):
    text = (women_and_men.folder / "x.vcf").read_text()
    (tmp_path / "y.vcf").write_text(text.replace("\nX\t", "\nY\t").replace("ID=X", "ID=Y"))
    assert run("panel", tmp_path / "y.vcf", "-o", tmp_path / "made") == 2
    assert "Y is not imputed: half of the people have none" in caplog.text
    assert not list(tmp_path.glob("made*"))


@pytest.mark.skipif(not shutil.which("plink2"), reason="needs plink2")
def test_plink2_takes_men_and_women(women_and_men, imputer_of_x, targets, tmp_path):
    """Imported by HDS, exported again and as BGEN: the dosages of haploids and diploids stay."""
    output = tmp_path / "o.vcf.gz"
    settings = women_and_men.settings.imputation
    imputation(imputer_of_x, targets[0], output, tmp_path / "s.tsv", settings=settings)
    beyond = ["--from-bp", str(PAR_END + 1), "--to-bp", "300000", "--chr", "X"]
    with pysam.VariantFile(str(output)) as vcf:
        names = list(vcf.header.samples)
        expected = [
            [np.ravel(call["DS"])[0] for call in record.samples.values()]
            for record in vcf
            if record.pos > PAR_END
        ]
    rows = [f"{name}\t{1 + number % 2}" for number, name in enumerate(names)]
    (tmp_path / "sex").write_text("\n".join(["#IID\tSEX", *rows]) + "\n")
    read = ["--vcf", output, "dosage=HDS", "--update-sex", tmp_path / "sex", *beyond]
    for words in (
        [*read, "--make-pgen", "--out", tmp_path / "p"],
        [
            "--pfile",
            tmp_path / "p",
            "--export",
            "vcf",
            "vcf-dosage=DS-force",
            "--out",
            tmp_path / "p",
        ],
        ["--pfile", tmp_path / "p", "--export", "bgen-1.2", "--out", tmp_path / "p"],
    ):
        subprocess.run(["plink2", *map(str, words)], check=True, capture_output=True)
    lines = (tmp_path / "p.vcf").read_text().splitlines()
    back = [line.split("\t")[9:] for line in lines if line[0] != "#"]
    # It writes a haploid of which little is known as a heterozygote, on a diploid's scale.
    dosages = [
        [
            float(cell.split(":")[1]) / (1 + ("/" in cell and number % 2 == 0))
            for number, cell in enumerate(row)
        ]
        for row in back
    ]
    np.testing.assert_allclose(dosages, expected, atol=2e-3)
    assert (tmp_path / "p.bgen").stat().st_size > 1000


def test_scikit_allel_reads_men_and_women(women_and_men, imputer_of_x, targets, tmp_path):
    allel = pytest.importorskip("allel", reason="needs scikit-allel")
    output = tmp_path / "o.vcf.gz"
    settings = women_and_men.settings.imputation
    imputation(imputer_of_x, targets[0], output, tmp_path / "s.tsv", settings=settings)
    found = allel.read_vcf(str(output), fields=["POS", "GT", "DS"], numbers={"DS": 1})
    beyond = found["variants/POS"] > PAR_END
    assert (found["calldata/GT"][beyond][:, ::2, 1] == -1).all()
    assert (found["calldata/GT"][~beyond] >= 0).all()
    assert found["calldata/DS"][beyond][:, ::2].max() <= 1


def test_the_example_says_whose_haplotypes_are_shown(women_and_men, tmp_path, monkeypatch):
    made = women_and_men
    seen = []
    draw = step_of_example.draw_example
    monkeypatch.setattr(step_of_example, "RARE", 0.05)
    monkeypatch.setattr(
        step_of_example, "draw_example", lambda *given: seen.append(given[0]) or draw(*given)
    )
    step_of_example.example(
        tmp_path / "example.svg", samples=made.samples, genotypes=made.genotypes,
        frequencies=made.frequencies, masks=made.drawn("masks", "test"),
        rates=made.drawn("rates", "test"), shards=made.shards, chromosome="X", mask="array",
        seed=SEED,
    )  # fmt: skip
    (region,) = seen
    assert region.position[0] > PAR_END
    reference = find_samples(made.people, "reference")
    arrays = read_arrays(made.genotypes, "genotypes")
    sites = np.isin(arrays["variants/POS"], region.position)
    calls = arrays["calldata/GT"][sites][:, reference]
    population = made.people["super_population"].to_numpy()[reference]
    for column, label in enumerate(region.labels):
        same = (calls == region.alleles[:, column, None, None]).all(axis=0).any(axis=1)
        assert label in {f"reference ({name})" for name in population[same]}

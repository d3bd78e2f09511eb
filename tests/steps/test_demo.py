"""The simulated panel: readable, structured, and a function of its seed."""

import pysam

from haplorag.panel.samples import read_panel_file
from haplorag.steps.demo import demo
from support import SEED


def test_panel_has_three_labelled_populations(simulated):
    people = read_panel_file(simulated.folder / "demo/panel.tsv")
    assert people.groupby("super_population").size().to_dict() == {"AFR": 40, "EAS": 40, "EUR": 40}


def test_vcf_is_indexed_and_phased(simulated):
    with pysam.VariantFile(str(simulated.folder / "demo/1.vcf.gz")) as vcf:
        records = list(vcf.fetch("1", 1, 100_000))
    assert len(records) > 50
    assert all(call.phased for record in records[:20] for call in record.samples.values())


def test_target_holds_other_people_and_few_of_the_sites(simulated):
    with pysam.VariantFile(str(simulated.folder / "demo/target.vcf.gz")) as target:
        typed, names = [(record.pos, record.alts) for record in target], list(target.header.samples)
    with pysam.VariantFile(str(simulated.folder / "demo/target.truth.vcf.gz")) as truth:
        everything = [(record.pos, record.alts) for record in truth]
        assert list(truth.header.samples) == names
    assert set(typed) < set(everything)
    assert not set(names) & set(read_panel_file(simulated.folder / "demo/panel.tsv")["sample"])


def test_the_panel_and_the_target_have_errors_and_the_truth_has_none(simulated, settings, tmp_path):
    errors = {"panel_errors": 0.02, "panel_switches": 0.1, "target_errors": 0.05}
    wanted = settings.demo.model_copy(update=errors)
    names = "panel.tsv", "target.vcf.gz", "target.truth.vcf.gz", "1.vcf.gz"
    paths = [tmp_path / name for name in names]
    demo(*paths[:3], vcf=paths[3:], chromosomes=["1"], settings=wanted, seed=SEED)

    def read(path):
        with pysam.VariantFile(str(path)) as vcf:
            return {
                (record.pos, record.alts): [call["GT"] for call in record.samples.values()]
                for record in vcf
            }

    before, after = (read(folder / "1.vcf.gz") for folder in (simulated.folder / "demo", tmp_path))
    assert before.keys() == after.keys() and before != after
    truth, target = read(paths[2]), read(paths[1])
    assert truth == read(simulated.folder / "demo/target.truth.vcf.gz")
    assert any(calls != truth[site] for site, calls in target.items())


def test_same_seed_same_bytes(simulated, settings, tmp_path):
    paths = [
        tmp_path / name
        for name in ("panel.tsv", "target.vcf.gz", "target.truth.vcf.gz", "1.vcf.gz")
    ]
    demo(*paths[:3], vcf=paths[3:], chromosomes=["1"], settings=settings.demo, seed=SEED)
    for path in paths:
        assert path.read_bytes() == (simulated.folder / "demo" / path.name).read_bytes()

"""What may go wrong around the program: killed runs, full disks, damaged files, two runs at once.
See docs/faults.md.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from haplorag.configuration import read_settings
from haplorag.errors import InputError
from haplorag.io.atomic import replacing, sweep, write_bytes
from haplorag.io.checksums import quick_digest
from haplorag.io.hdf5 import read_arrays
from haplorag.panel.haplotypes import read_shard
from haplorag.pipeline.failures import explain_failure
from haplorag.pipeline.locking import lock_folder
from haplorag.qc.preflight import find_problems
from haplorag.settings import SampleSettings
from haplorag.steps.frequencies import frequencies
from haplorag.steps.genotypes import genotypes
from haplorag.steps.imputation import imputation
from haplorag.steps.neighbours import neighbours
from haplorag.steps.predictions import predictions
from haplorag.steps.rates import rates
from haplorag.steps.samples import samples
from haplorag.steps.shards import shards
from haplorag.steps.windows import windows
from haplorag.vcf.bgzf import read_pieces
from support import (
    ROOT,
    SEED,
    Simulated,
    copy_checkout,
    draw_of,
    evaluate,
    gather_imputer,
    panel_of,
    read_config,
    train,
)

# Damage: every kind of file, by its consumer.


class World:
    """A copy of all that was simulated and trained, in which files are damaged, and who reads what."""

    def __init__(self, copied: Simulated, scratch: Path) -> None:
        self.made, self.scratch, self.root = copied, scratch, copied.folder

    def frequencies(self):
        frequencies(self.made.genotypes, self.made.samples, self.scratch / "f.h5")

    def windows(self):
        out = self.scratch / "w.h5", self.scratch / "w.tsv"
        windows(self.made.frequencies, *out, settings=self.made.settings.windows, chromosome="1")

    def shards(self):
        shards(self.made.genotypes, self.made.samples, self.made.windows, self.scratch / "shards")

    def neighbours(self):
        inputs = (
            self.made.genotypes,
            self.made.samples,
            self.made.windows,
            self.made.drawn("masks", "test"),
            self.made.shards,
        )
        where = {"draw": "test", "chromosome": "1", "seed": SEED}
        neighbours(*inputs, self.scratch / "n.h5", settings=self.made.settings.neighbours, **where)

    def rates(self):
        inputs = self.made.windows, self.made.drawn("masks", "test"), self.made.shards
        where = {"chromosome": "1", "seed": SEED}
        settings = self.made.settings.li_stephens
        rates(*inputs, self.scratch / "r.h5", settings=settings, **where)

    def training(self):
        train(self.made, self.root / "training/copying/000", self.scratch / "001")

    def predictions(self):
        predict(self.made, self.root / "training/copying/001", self.scratch / "p.h5")

    def imputer(self):
        gather_imputer(self.made, self.scratch / "copying", self.root / "training/copying/001")

    def evaluation(self):
        evaluate(
            self.scratch, self.root / "said/1.h5", self.made, self.root / "training/copying/001"
        )

    def imputation(self):
        impute(self.made, self.root / "imputer/copying", self.scratch / "i.vcf.gz")


def predict(made, trained, output):
    told = {
        "model": "copying",
        "network": made.settings.network["copying"],
        "threads": 2,
        "gpus": 0,
    }
    predictions(
        trained / "best.safetensors",
        output,
        batch_people=made.settings.imputation.batch_people,
        panel=panel_of(made),
        draw=draw_of(made, "test"),
        **told,
    )


def impute(made, imputer, output):
    target, sites = made.folder / "demo/target.vcf.gz", output.with_name("demo.sites.tsv")
    imputation(imputer, target, output, sites, settings=made.settings.imputation, threads=2)


@pytest.fixture(scope="module")
def world(simulated, trained, imputer_folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    shutil.copytree(simulated.folder, root, dirs_exist_ok=True)
    made = World(Simulated(root, simulated.settings), tmp_path_factory.mktemp("scratch"))
    predict(made.made, root / "training/copying/001", root / "said/1.h5")
    return made


def damage(data: bytes):
    """A file's bytes with one bit turned, here and there, then cut short, then gone."""
    for place in (0, len(data) // 3, len(data) // 2, 4 * len(data) // 5, len(data) - 1):
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    yield data[: len(data) // 2]
    yield b""


@pytest.mark.parametrize(
    ("name", "consumer"),
    [
        ("samples/samples.tsv", "frequencies"),
        ("genotypes/1.h5", "frequencies"),
        ("frequencies/1.h5", "windows"),
        ("windows/1.h5", "shards"),
        ("masks/test/1.h5", "neighbours"),
        ("masks/test/1.h5", "rates"),
        ("shards/1/shards.json", "neighbours"),
        ("shards/1/window_0000.faiss.gz", "neighbours"),
        ("shards/1/window_0000.faiss.gz", "imputer"),
        ("rates/test/1.h5", "predictions"),
        ("neighbours/test/1.h5", "predictions"),
        ("training/copying/000/weights.safetensors", "training"),
        ("training/copying/000/state.pt", "training"),
        ("training/copying/000/history.json", "training"),
        ("training/copying/001/best.safetensors", "predictions"),
        ("training/copying/001/best.safetensors", "imputer"),
        ("said/1.h5", "evaluation"),
        ("masks/test/1.tsv", "evaluation"),
        ("imputer/copying/imputer.json", "imputation"),
        ("imputer/copying/weights.safetensors", "imputation"),
        ("imputer/copying/1/panel.h5", "imputation"),
        ("imputer/copying/1/shards/window_0000.faiss.gz", "imputation"),
    ],
)
def test_a_damaged_file_is_refused_by_name(world, name, consumer):
    path = world.root / name
    whole = path.read_bytes()
    try:
        for number, data in enumerate(damage(whole)):
            path.write_bytes(data)
            # A process reads a shard once.
            read_shard.cache_clear()
            with pytest.raises(InputError, match=r"remove|copy the whole folder again") as caught:
                getattr(world, consumer)()
            assert str(path) in str(caught.value), number
    finally:
        path.write_bytes(whole)


# The disk: full, read-only, swept.


@contextmanager
def small_files(size: int):
    """Let no file grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def mounted(place: Path, options: str):
    """Mount a file system in memory, where that is allowed."""
    place.mkdir(exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def convert(world, into):
    out = into / "1.h5", into / "1.tally.tsv"
    made = world.made
    genotypes(
        made.folder / "demo/1.vcf.gz",
        made.samples,
        *out,
        settings=made.settings.genotypes,
        chromosome="1",
    )


def learn(world, into):
    train(world.made, world.root / "training/copying/000", into, save_minutes=0)


def fill_in(world, into):
    impute(world.made, world.root / "imputer/copying", into / "o.vcf.gz")


FULL = {
    "genotypes": (convert, "1.h5", 16_384),
    "training": (learn, "state.pt", 40_960),
    "imputation": (fill_in, "o.vcf.gz", 12_288),
}


@pytest.mark.parametrize("how", ["limit", "disk"])
@pytest.mark.parametrize("step", FULL)
def test_a_full_disk_is_one_line_and_leaves_nothing(world, tmp_path, step, how):
    work, name, size = FULL[step]
    into = tmp_path / "small"
    into.mkdir()
    with small_files(size) if how == "limit" else mounted(into, f"size={size}"):
        with pytest.raises(OSError) as caught:
            work(world, into)
        said = explain_failure(caught.value, step)
        assert said and re.search(
            r"File too large|No space left on device|could not be written", said
        )
        assert str(into) in said and "then run the same command again" in said
        assert not (into / name).exists()
        assert not list(into.glob("**/*.part.*"))
    if step != "training":
        work(world, into)
        assert (into / name).exists()


def test_what_the_dead_left_is_swept_up(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "deep").mkdir()
    alive, dead = (tmp_path / f"deep/.{pid}.part.1.h5" for pid in (os.getpid(), ended.pid))
    for path in (alive, dead, tmp_path / "deep/.sha256.1.tsv", tmp_path / ".123.else"):
        path.write_text("half")
    (tmp_path / f".{ended.pid}.part.folder").mkdir()
    assert sweep(tmp_path) == 2
    assert {path.name for path in tmp_path.rglob("*")} == {
        "deep",
        alive.name,
        ".sha256.1.tsv",
        ".123.else",
    }


def test_planted_links_are_not_followed(tmp_path):
    """Neither one in a file's place, nor one that waits for a temporary name; nor the lock's."""
    outside, path = tmp_path / "outside", tmp_path / "results/1.tsv"
    outside.write_text("mine")
    path.parent.mkdir()
    path.symlink_to(outside)
    for name in (f".{os.getpid()}.part.1.tsv", ".sha256.1.tsv", ".1.tsv"):
        (path.parent / name).symlink_to(outside)
    seen = set()
    for number in range(2):
        with replacing(path) as temporary:
            seen.add(temporary)
            assert temporary.parent.stat().st_mode & 0o777 == 0o700
            temporary.write_text(f"ours {number}")
    write_bytes(path.parent / ".sha256.1.tsv", b"ours")
    assert len(seen) == 2 and path.read_text() == "ours 1" and not path.is_symlink()
    (path.parent / ".lock").symlink_to(outside)
    with pytest.raises(
        InputError, match=r"\.lock: is a link, which would be written to; remove it"
    ):
        lock_folder(path.parent)
    assert outside.read_text() == "mine"


def test_a_read_only_results_folder_is_told_before_any_work(config, tmp_path):
    with mounted(tmp_path / "small", "size=64k,ro"):
        problems = find_problems(
            read_settings(config | {"results": str(tmp_path / "small/results")})
        )
    assert problems == [
        f"{tmp_path}/small: is read-only; run chmod u+w, or set `results` to another name"
    ]


# Inputs: from the future, replaced, changed while they are read.


def test_an_input_from_the_future_is_refused(config, simulated, tmp_path):
    shutil.copy(simulated.folder / "demo/panel.tsv", tmp_path)
    path = tmp_path / "panel.tsv"
    told = read_settings(config | {"panel": {**config["panel"], "people": str(path)}})
    assert not find_problems(told)
    os.utime(path, (time.time() + 3600, time.time() + 3600))
    [problem] = find_problems(told)
    assert re.search(
        r"panel\.tsv: its time of change lies 3\d+ seconds in the future; .*run: touch ", problem
    )


def test_an_input_that_changes_while_it_is_read_is_refused(simulated, tmp_path):
    path = tmp_path / "1.vcf"
    path.write_bytes(b"".join(read_pieces(simulated.folder / "demo/1.vcf.gz")))
    pieces = read_pieces(path)
    next(pieces)
    with path.open("ab") as handle:
        handle.write(b"more\n")
    with pytest.raises(InputError, match=r"1\.vcf: was changed while it was read"):
        list(pieces)


def test_another_file_of_the_same_size_and_age_shows(tmp_path):
    path = tmp_path / "x"
    seen = set()
    for place in (None, 0, 5_000_000 - 1):
        data = bytearray(5_000_000)
        if place is not None:
            data[place] = 1
        path.write_bytes(data)
        os.utime(path, (1, 1))
        seen.add(quick_digest(path))
    assert len(seen) == 3


# Names: data, whatever they look like.


def test_names_are_data(tmp_path, caplog):
    """Names that a shell, a path or a template would act on come back as they were, and nothing
    else happens.
    """
    names = ["$(touch x)", "`touch x`", "; touch x", "../../x", "a'b\"c", "{results}", "%s", "-rf"]
    alleles = np.random.default_rng(1).integers(0, 2, (60, len(names), 2))
    lines = [
        f"1\t{10 * row + 10}\t.\tA\tC\t.\t.\t.\tGT\t" + "\t".join(f"{a}|{b}" for a, b in site)
        for row, site in enumerate(alleles)
    ]
    head = "\t".join(
        ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]
    )
    (tmp_path / "1.vcf").write_text(
        "\n".join(["##fileformat=VCFv4.2", "##contig=<ID=1>", head, *lines]) + "\n"
    )
    (tmp_path / "panel.tsv").write_text(
        "\n".join(["sample\tpop\tsuper_pop", *(f"{name}\tA\tB" for name in names)]) + "\n"
    )
    roles = SampleSettings(validation=0.2, test=0.2, most=100, roles=None)
    made = {path.name for path in tmp_path.iterdir()} | {
        ".sha256.s.tsv",
        "s.tsv",
        "g.h5",
        ".sha256.t.tsv",
        "t.tsv",
    }
    panel = tmp_path / "panel.tsv"
    samples(tmp_path / "1.vcf", tmp_path / "s.tsv", people=panel, settings=roles, seed=1)
    kept = read_settings(read_config()).genotypes.model_copy(update={"min_minor_count": 0})
    genotypes(
        tmp_path / "1.vcf",
        tmp_path / "s.tsv",
        tmp_path / "g.h5",
        tmp_path / "t.tsv",
        settings=kept,
        chromosome="1",
    )
    assert read_arrays(tmp_path / "g.h5", "genotypes", "samples")["samples"].tolist() == names
    assert {path.name for path in tmp_path.iterdir()} == made
    assert not [name for name in names if name in caplog.text]


# Whole runs: killed, stopped, refused, in an odd environment.


KEPT = "training/copying/001/.halfway.pt"
WHERE = {"untrained": "training/copying/000", "training": "training/copying/001"}


@dataclass
class Life:
    """A pipeline that is started again and again, the same command each time, in an environment
    that is not ours.
    """

    checkout: Path
    arguments: list[str]
    odd: bool = True
    results: Path = field(init=False)

    def __post_init__(self):
        self.results = self.checkout / "results"

    def start(self, *more: str) -> subprocess.Popen:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        if self.odd:
            cache = str(self.checkout / "cache")
            environment |= {"LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "3"}
            environment |= {"HOME": "/nonexistent", "XDG_CACHE_HOME": cache, "MPLCONFIGDIR": cache}

        def limit():
            os.umask(0)
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            )

        return subprocess.Popen(
            ["snakemake", "--cores", "2", *more, *self.arguments], cwd=self.checkout, env=environment,
            stdout=(self.checkout / "said").open("w"), stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=limit if self.odd else None,
        )  # fmt: skip

    def run(self, *more: str) -> int:
        return self.start(*more).wait(timeout=800)

    def said(self) -> str:
        return (self.checkout / "said").read_text()

    def list(self, place: str) -> set[tuple[Path, int]]:
        """Files, finished or not, where a rule writes or logs, with their times of change."""
        found = set()
        top = self.results / WHERE.get(place, place)
        for path in (top, *top.rglob("*")):
            with suppress(FileNotFoundError):
                found |= set() if path.is_dir() else {(path, path.lstat().st_mtime_ns)}
        return found

    def end(self, rule: str, how: str, *more: str, watched: str = "", wait: float = 0) -> None:
        """Start, and once a rule begins to write, or something else is, and some seconds later, end
        the run or its job.
        """
        watched = watched or rule
        before, process = self.list(watched), self.start(*more)
        while process.poll() is None and not self.list(watched) - before:
            time.sleep(0.002)
        time.sleep(wait)
        assert process.poll() is None, (
            f"{rule}: over before it could be ended: {self.said()[-2000:]}"
        )
        if how == "job":
            _kill(_list_session(process.pid, f"haplorag.steps.{rule}"))
        elif how == "all":
            while alive := _list_session(process.pid):
                _kill(alive)
                process.poll()
        else:
            os.killpg(process.pid, getattr(signal, how))
        assert process.wait(timeout=60) != 0
        while _list_session(process.pid):
            time.sleep(0.01)


def _kill(processes: list[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _list_session(session: int, words: str = "") -> list[int]:
    """Processes of a session that are alive, and whose command line has some words."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rsplit(")", 1)[1].split()[:4]
            if (
                int(its_session) == session
                and state != "Z"
                and words in (stat.parent / "cmdline").read_text()
            ):
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def assert_same(results: Path, reference: Path, stages: tuple[str, ...]) -> None:
    """All visible files of some stages are, byte for byte, those of another run; figures of time
    are left out.
    """
    compared = 0
    for stage in stages:
        for path in sorted((results / stage).rglob("*")):
            # Whom the user's imputer holds is told apart from whom evaluation holds out.
            left_out = path.name in ("metrics.tsv", "everyone.tsv")
            inside = path.relative_to(results)
            hidden = any(part.startswith(".") for part in inside.parts)
            if path.is_dir() or hidden or left_out:
                continue
            assert path.read_bytes() == (reference / inside).read_bytes(), path
            compared += 1
    assert compared


DATA = (
    "demo",
    "samples",
    "genotypes",
    "frequencies",
    "windows",
    "shards",
    "masks",
    "rates",
    "neighbours",
)
STAGES = (*DATA, "training")
USED = ("imputer", "imputation")


@pytest.fixture(scope="module")
def reference(simulated, trained):
    """What nobody disturbed: the stages called one by one in this process, under the names a run
    gives them.
    """
    root = simulated.folder
    (root / "alone").mkdir()
    for stage in STAGES:
        (root / "alone" / stage).symlink_to(root / stage)
    return root / "alone"


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """One model on one chromosome for one epoch, up to what it imputes."""
    checkout = copy_checkout(tmp_path_factory.mktemp("killed now and then"), compiled=True)
    one = [
        "private=true",
        "chromosomes=['1']",
        "models=['copying']",
        "imputation={model: copying}",
        f"seed={SEED}",
        "training={epochs: 1, save_minutes: 0}",
    ]
    return Life(
        checkout,
        [
            "--configfile",
            "tests/tiny.yaml",
            "--config",
            *one,
            "--",
            "results/imputation/demo.vcf.gz",
        ],
    )


@pytest.mark.whole
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_again_and_again_ends_as_if_undisturbed(life, reference, tmp_path):
    """Killed, stopped and interrupted in the middle of one rule after the other; nothing but the
    same command goes on.
    """
    ended = {"genotypes": "all", "training": "job", "imputer": "all"}
    for rule, how in ended.items():
        # Training ends once it has kept a state; the others in the middle of their first write.
        life.end(rule, how, watched=KEPT if rule == "training" else "")
        if how == "job":
            assert "killed (signal 9), most likely for lack of memory" in life.said()
        stages = tuple(stage for stage in STAGES if (life.results / stage).exists())
        assert_same(life.results, reference, stages)
    assert life.run() == 0, life.said()[-3000:]
    assert "goes on after" in (life.results / "logs/training/copying/001.log").read_text()
    assert_same(life.results, reference, STAGES)
    # What users take is of everybody, so that no stage called alone makes the same: made again.
    for stage in USED:
        shutil.copytree(life.results / stage, tmp_path / stage)
        shutil.rmtree(life.results / stage)
    assert life.run() == 0, life.said()[-3000:]
    assert_same(life.results, tmp_path, USED)
    assert not [
        path
        for path in life.results.rglob(".*")
        if ".part." in path.name or path.name == ".halfway.pt"
    ]
    assert all(path.stat().st_mode & 0o077 == 0 for path in life.results.rglob("*.h5"))


@pytest.mark.whole
@pytest.mark.timeout(900)
def test_a_second_run_is_refused_and_changes_nothing(life):
    if not (life.results / "imputation").exists():
        life.run()
    hold = f"from pathlib import Path; from haplorag.pipeline.locking import lock_folder; lock_folder(Path({str(life.results)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print('held', flush=True); import time; time.sleep(600)"],
        stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == b"held\n"
        before = {path: path.lstat().st_mtime_ns for path in life.results.rglob("*")}
        assert life.run("--forcerun", "imputation") != 0
        assert (
            f"in use by process {holder.pid} on " in life.said() and "Traceback" not in life.said()
        )
        assert {path: path.lstat().st_mtime_ns for path in life.results.rglob("*")} == before
        assert life.run("--dry-run") == 0
    finally:
        holder.kill()
        holder.wait()
    taken = subprocess.run(
        [sys.executable, "-c", hold], env=environment, capture_output=True, text=True, check=False
    )
    assert taken.returncode == 0, taken.stderr


@pytest.mark.whole
@pytest.mark.timeout(900)
def test_an_input_that_was_replaced_is_read_again(life, simulated, tmp_path):
    """Though the new file is as old as the one before, and Snakemake looks at times only."""
    for name in ("panel.tsv", "1.vcf.gz", "1.vcf.gz.tbi"):
        shutil.copy(simulated.folder / "demo" / name, tmp_path)
    panel = f"panel={{vcf: {tmp_path}/1.vcf.gz, people: {tmp_path}/panel.tsv}}"
    told = [
        "--configfile",
        "tests/tiny.yaml",
        "--config",
        "chromosomes=['1']",
        "results=other",
        panel,
        "--",
    ]
    other = Life(life.checkout, [*told, "other/samples/samples.tsv"], odd=False)
    assert other.run() == 0, other.said()
    assert "Nothing to be done" in (other.run("--dry-run"), other.said())[1]
    path = tmp_path / "panel.tsv"
    age, lines = path.stat().st_mtime_ns, path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[2:], lines[1]]) + "\n")
    os.utime(path, ns=(age, age))
    assert "Params have changed since last execution" in (other.run("--dry-run"), other.said())[1]


TINY = ["--configfile", "tests/tiny.yaml"]
RULES = (
    "demo", "samples", "genotypes", "frequencies", "relatives", "windows", "shards", "masks", "rates", "neighbours",
    "untrained",
    "training", "imputer", "baselines", "predictions", "evaluation", "plots", "report", "imputation",
)  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tiny pipeline, run once by itself."""
    quiet = Life(
        copy_checkout(tmp_path_factory.mktemp("undisturbed"), compiled=True), TINY, odd=False
    )
    assert quiet.run() == 0, quiet.said()[-3000:]
    return quiet.results


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("moment", "how"),
    [("as it begins", "all"), ("as it writes", "all"), ("as it writes", "SIGINT")],
)
def test_every_rule_is_killed_in_its_work(undisturbed, tmp_path, moment, how):
    """Every rule in turn, made to run again where it was done, and killed; then the plain command
    ends it.
    """
    life = Life(copy_checkout(tmp_path, compiled=True), TINY)
    for rule in RULES:
        place = {"watched": f"logs/{rule}", "wait": 0.5} if moment == "as it begins" else {}
        life.end(rule, how, "--forcerun", rule, **place)
    assert life.run() == 0, life.said()[-3000:]
    assert_same(
        life.results, undisturbed, (*STAGES, "relatives", "baselines", "predictions", "evaluation")
    )
    assert not [
        path
        for path in life.results.rglob(".*")
        if ".part." in path.name or path.name == ".halfway.pt"
    ]

"""Meaning and range of every configuration key; the values themselves are in config/config.yaml."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
# No count of anything is larger than what 32 bits hold.
Count = Annotated[int, Field(ge=1, lt=2**31)]
Natural = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
# YAML reads an unquoted 21 as a number; the chromosome's name is text.
AS_TEXT = BeforeValidator(lambda name: str(name) if isinstance(name, int) else name)
Chromosome = Annotated[Name, AS_TEXT]
Kind = TypeVar("Kind")
# What a path may hold in braces, to be filled in.
FILLED_IN = ("data", "results", "chromosome", "mask")


def _check_markup(path: str) -> str:
    """Refuse what Snakemake would take for a wildcard or a variable of its own in a path."""
    odd = re.search(r"<[^<>]*>|\{(?!(?:" + "|".join(FILLED_IN) + r")\})[^{}]*\}", path)
    if odd:
        raise ValueError(
            f"{odd[0]} in a path is not taken literally; rename the file or folder, or use one of "
            f"{', '.join('{' + name + '}' for name in FILLED_IN)}"
        )
    return path


FilePath = Annotated[str, AfterValidator(_check_markup)]


def _check_region(region: str) -> str:
    """Refuse what is no region of a chromosome."""
    found = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?::([0-9]{1,10})-([0-9]{1,10}))?", region)
    bounds = found and [int(bound or 1) for bound in found.groups()]
    if not bounds or not 1 <= bounds[0] <= bounds[1]:
        raise ValueError(
            f"{region} is neither CHROM nor CHROM:FROM-TO, with FROM 1 or more and TO no less; "
            "write it like 20:1000000-2000000"
        )
    return region


Region = Annotated[str, AS_TEXT, AfterValidator(_check_region)]


def _drop_empty(entries: Any) -> Any:
    # Snakemake reads what is nested in a value of --config as text.
    return (
        {name: entry for name, entry in entries.items() if entry not in (None, "null")}
        if isinstance(entries, dict)
        else entries
    )


# An overlay takes an entry of a mapping away by setting it to null.
Named = Annotated[dict[Name, Kind], BeforeValidator(_drop_empty)]


# What the model over the panel is called where it imputes without a network.
PANEL_ONLY = "li_stephens"


def _is_demo(path: str) -> bool:
    """Whether the stage `demo` makes a file: it goes with the demo's panel, and with no other."""
    return path.startswith("{results}/demo/")


def _name_target(path: str) -> str:
    """What a target is called that has no name: as its file, without endings and odd characters."""
    name = PurePath(path.replace("{chromosome}", "")).name
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", re.sub(r"\.+(vcf|bcf)(\.b?gz)?$", "", name))
    return re.sub(r"^[^A-Za-z0-9]+", "", name) or "target"


class Section(BaseModel):
    """A frozen group of keys in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PanelSettings(Section):
    """Where the reference panel lies; `{data}`, `{results}` and `{chromosome}` are filled in."""

    vcf: FilePath
    people: FilePath | None
    map: FilePath | None


class DemoSettings(Section):
    """The simulated default panel (msprime, out-of-Africa)."""

    people_per_population: Annotated[int, Field(ge=4)]
    length_bp: Count
    recombination_rate: Positive
    mutation_rate: Positive
    min_minor_count: Natural
    panel_errors: Fraction
    panel_switches: Fraction
    target_people: Count
    target_typed: Fraction
    target_errors: Fraction


class SampleSettings(Section):
    """Share of people held out, of each role no more than `most`; the rest is the reference.
    `roles` names a file that decides instead.
    """

    validation: Fraction
    test: Fraction
    most: Count
    roles: FilePath | None

    @model_validator(mode="after")
    def _leaves_a_reference(self) -> SampleSettings:
        if self.validation + self.test >= 1:
            raise ValueError(
                "validation + test must stay below 1, the rest is the reference panel; lower one "
                "of them"
            )
        return self


class GenotypeSettings(Section):
    """Which records of the panel are kept."""

    variants: Literal["snps", "all_biallelic"]
    multiallelic: Literal["split", "skip"]
    max_missing: Fraction
    max_unphased: Fraction
    min_minor_count: Natural


class WindowSettings(Section):
    """How a chromosome is tiled by core sites and what each window sees beside them."""

    core_sites: Count
    flank_bp: Natural
    flank_maf: Annotated[float, Field(ge=0, le=0.5)]
    flank_sites: Natural
    gap_bp: Count


class Mask(Section):
    """One way of hiding sites; `rate` is the share hidden, empty for the curriculum's rate of the
    epoch.
    """

    strategy: Literal["random", "span", "maf_stratified", "af_guided", "array", "given"]
    rate: Fraction | None = None
    file: FilePath | None = None
    column: str | None = None
    weight: Positive = 1.0

    @model_validator(mode="after")
    def _given_names_its_column(self) -> Mask:
        if (self.strategy == "given") != (self.file is not None and self.column is not None):
            raise ValueError(
                "strategy `given` needs `file` and `column`, the other strategies take neither"
            )
        return self


class Curriculum(Section):
    """Training masks: a weighted mixture per epoch, at rates that rise every few epochs."""

    mixture: Named[Mask] = Field(min_length=1)
    rates: list[Fraction] = Field(min_length=1)
    every: Count

    @model_validator(mode="after")
    def _sees_no_fixed_file(self) -> Curriculum:
        if any(mask.strategy == "given" for mask in self.mixture.values()):
            raise ValueError(
                "strategy `given` is for validation and test; training draws its masks anew each "
                "epoch"
            )
        return self


class FixedMasks(Section):
    """The named masks of a draw that never moves."""

    masks: dict[Name, Mask] = Field(min_length=1)


class MaskSettings(Section):
    """Which sites are hidden: anew each epoch for training, once and for all for validation and
    test.
    """

    training: Curriculum
    validation: Named[Mask] = Field(min_length=1)
    test: Named[Mask] = Field(min_length=1)

    @model_validator(mode="after")
    def _fixed_masks_have_rates(self) -> MaskSettings:
        for draw in ("validation", "test"):
            for name, mask in getattr(self, draw).items():
                if mask.rate is None and mask.strategy != "given":
                    raise ValueError(
                        f"{draw}.{name} needs a rate: only training masks follow the curriculum"
                    )
        return self


class CopyingSetting(Section):
    """One setting of the model of copying: factors on the rates that are known."""

    switching: Annotated[float, Field(gt=0, le=1e6)]
    mismatch: Annotated[float, Field(gt=0, le=1e6)]


class MixtureSettings(Section):
    """The small network that weighs the settings, and what it learns from."""

    people: Natural
    centimorgans: Positive
    pairs: Count
    evident: Natural
    width: Annotated[int, Field(ge=1, le=4096)]
    epochs: Count
    learning_rate: Positive


class RateSettings(Section):
    """How haplotypes copy: rates before any is estimated, the estimation, factors on its rates."""

    switches_per_cm: Annotated[float, Field(gt=0, le=1e6)]
    mismatch: Annotated[float, Field(gt=0, lt=0.5)]
    estimation_rounds: Annotated[int, Field(ge=0, le=100)]
    estimation_people: Count
    settings: list[CopyingSetting] = Field(min_length=1, max_length=100)


class LiStephensSettings(RateSettings):
    """Li and Stephens' model over the panel: the same, and how answers under its settings are
    weighed.
    """

    mixture: MixtureSettings

    @model_validator(mode="after")
    def _has_the_evident_setting(self) -> LiStephensSettings:
        if self.mixture.evident >= len(self.settings):
            raise ValueError("mixture.evident numbers none of the settings; the first is 0")
        return self


class NeighbourSettings(Section):
    """How many reference haplotypes are retrieved, and how the typed sites are searched."""

    count: Annotated[int, Field(ge=1, le=100_000)]
    segments: Annotated[int, Field(ge=1, le=1000)]
    scales: list[Count] = Field(min_length=1, max_length=100)
    min_typed: Count
    flank_typed: Natural
    reach_typed: Natural
    people_per_window: Count
    windows: Count


class NetworkSettings(Section):
    """One network: where references enter, how they are fused, and its size."""

    references: Literal["none", "early", "late"]
    fusion: Literal[
        "none",
        "concat",
        "fixed_concat",
        "cross_attention",
        "rare_variant",
        "enhanced_rare_variant",
        "gated",
        "copying",
    ]
    neighbours: Natural
    width: Annotated[int, Field(ge=4, le=2**16)]
    layers: Annotated[int, Field(ge=0, le=1000)]
    heads: Count
    dropout: Fraction
    flank_typed: Natural
    panel_typed: Natural
    genotype_head: bool
    copying_hidden: Annotated[int, Field(ge=1, le=2**16)]
    training: dict[str, Any]

    @property
    def copies(self) -> bool:
        """Whether the network copies, and so needs to know what the model over the whole panel
        says.
        """
        return self.fusion == "copying"

    @property
    def reach(self) -> int:
        """How many typed sites beside the core are read, per side."""
        return max(self.flank_typed, self.panel_typed if self.copies else 0)

    @model_validator(mode="after")
    def _fits_together(self) -> NetworkSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if (self.references == "none") != (self.neighbours == 0 or self.fusion == "none"):
            raise ValueError(
                "references `none` goes with neighbours 0 and fusion `none`, and the other way "
                "round"
            )
        return self


class OptimisationSettings(Section):
    """Loss, schedule and stopping, all that an epoch needs to know; a model's own `training` keys
    replace single values.
    """

    batch_people: Count
    accumulate: Count
    learning_rate: Positive
    warmup_steps: Natural
    schedule: Literal["inverse_sqrt", "cosine", "constant"]
    schedule_steps: Count
    weight_decay: Annotated[float, Field(ge=0)]
    clip_norm: Positive
    focal_gamma: Annotated[float, Field(ge=0)]
    haplotype_weight: Positive
    genotype_weight: Annotated[float, Field(ge=0)]
    reconstruction_weight: Annotated[float, Field(ge=0)]
    validation_people: Count
    patience: Count
    min_delta: Annotated[float, Field(ge=0)]
    stop_on: Literal["loss", "r2", "f1"]
    precision: Literal["float32", "bfloat16"]
    compile: bool
    save_minutes: Annotated[float, Field(ge=0)]


class TrainingSettings(OptimisationSettings):
    """The same, and how many epochs: told to no job, so that more train only the new ones."""

    epochs: Annotated[int, Field(ge=0, le=999)]
    gpus: Count
    tensorboard: bool


class PeerSettings(Section):
    """Another imputation tool: run with extra arguments, or a VCF it wrote (`{mask}`,
    `{chromosome}` filled in).
    """

    tool: Literal["beagle", "minimac4"] | None = None
    arguments: str = ""
    file: FilePath | None = None

    @model_validator(mode="after")
    def _runs_or_reads(self) -> PeerSettings:
        if (self.tool is None) == (self.file is None):
            raise ValueError(
                "name either `tool` (beagle or minimac4) or `file`, an imputed VCF for the same "
                "people and masks"
            )
        return self


class EvaluationSettings(Section):
    """Frequency bins and baselines of every table."""

    maf_bins: list[Annotated[float, Field(ge=0, le=0.5)]] = Field(min_length=2)
    rare_maf: Annotated[float, Field(gt=0, le=0.5)]
    bootstrap: Natural
    vote_neighbours: Count

    @model_validator(mode="after")
    def _bins_rise(self) -> EvaluationSettings:
        if self.maf_bins != sorted(set(self.maf_bins)):
            raise ValueError("maf_bins are edges and must rise")
        return self


class ReportSettings(Section):
    """What the report may show."""

    example: Literal["simulated", "always", "never"]


class PhasingSettings(Section):
    """How targets are phased that are not."""

    method: Literal["panel", "beagle", "none"]
    states: Annotated[int, Field(ge=8)]
    burn_in: Natural
    sweeps: Natural
    draws: Natural
    arguments: str

    @model_validator(mode="after")
    def _draws_from_sweeps(self) -> PhasingSettings:
        if self.draws > self.sweeps:
            raise ValueError("draws: each is of one of the sweeps; set no more of them than sweeps")
        return self


class ImputationSettings(Section):
    """Targets by name, and the model that imputes them."""

    model: Name
    targets: Named[FilePath]
    merged: Named[list[Name]]
    truth: Named[FilePath]
    people: FilePath | None
    region: Region | None
    batch_people: Count
    min_overlap: Fraction
    max_flips: Natural
    overrule: list[Literal["build", "overlap", "flips"]]
    output: Literal["vcf.gz", "bcf"]

    @model_validator(mode="after")
    def _merges_what_it_can_read(self) -> ImputationSettings:
        if self.merged and self.output == "bcf":
            raise ValueError(
                "output: batches are merged from vcf.gz only; leave out `merged` or bcf"
            )
        return self


class Settings(Section):
    """The whole configuration."""

    results: FilePath
    data: FilePath
    private: bool
    target: FilePath | None
    overlay: str | list[str] | None
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    chromosomes: list[Chromosome] = Field(min_length=1)
    panel: PanelSettings
    demo: DemoSettings
    samples: SampleSettings
    genotypes: GenotypeSettings
    windows: WindowSettings
    masks: MaskSettings
    li_stephens: LiStephensSettings
    neighbours: NeighbourSettings
    network: Named[NetworkSettings]
    models: list[Name]
    training: TrainingSettings
    evaluation: EvaluationSettings
    report: ReportSettings
    peers: Named[PeerSettings]
    comparison: Named[FilePath]
    phasing: PhasingSettings
    imputation: ImputationSettings

    @model_validator(mode="after")
    def _list_targets(self) -> Settings:
        targets, truth = self.imputation.targets, self.imputation.truth
        # The simulated target goes with the simulated panel.
        if not self.is_simulated:
            targets = {name: path for name, path in targets.items() if not _is_demo(path)}
        if self.target is not None:
            targets, truth = {_name_target(self.target): self.target}, {}
        truth = {
            name: path
            for name, path in truth.items()
            if not _is_demo(path) or _is_demo(targets.get(name, ""))
        }
        if lost := set(truth) - set(targets):
            raise ValueError(
                f"imputation.truth: {', '.join(sorted(lost))} is not among imputation.targets"
            )
        lost = {one for batches in self.imputation.merged.values() for one in batches}
        if lost := lost - set(self._spread(targets)):
            raise ValueError(
                f"imputation.merged: {', '.join(sorted(lost))} is not among imputation.targets"
            )
        paths = {"targets": self._spread(targets), "truth": self._spread(truth)}
        return self.model_copy(update={"imputation": self.imputation.model_copy(update=paths)})

    def _spread(self, paths: dict[str, str]) -> dict[str, str]:
        """One that has a file for each chromosome is one for each, or one for the region's."""
        region = self.imputation.region
        bare = region and region.split(":")[0].removeprefix("chr")
        names = [name for name in self.chromosomes if bare in (None, name.removeprefix("chr"))]
        if not names and any("{chromosome}" in path for path in paths.values()):
            raise ValueError(
                f"imputation.region: {region} is on none of chromosomes: "
                f"{', '.join(self.chromosomes)}"
            )
        return {
            f"{name}.{chromosome}" if "{chromosome}" in path else name: path.replace(
                "{chromosome}", chromosome
            )
            for name, path in paths.items()
            for chromosome in (names if "{chromosome}" in path else self.chromosomes)
        }

    @model_validator(mode="after")
    def _models_are_described(self) -> Settings:
        unknown = [name for name in (*self.models,) if name not in self.network]
        if unknown:
            raise ValueError(
                f"models: {', '.join(unknown)} not described under network "
                f"({', '.join(self.network)})"
            )
        model = self.imputation.model
        if model not in (*self.models, PANEL_ONLY):
            raise ValueError(
                f"imputation.model: {model} is neither {PANEL_ONLY} nor among models "
                f"({', '.join(self.models)})"
            )
        if PANEL_ONLY in self.network:
            raise ValueError(f"network: {PANEL_ONLY} is the model without a network; rename it")
        if twice := set(self.peers) & set(self.network):
            raise ValueError(f"peers: {', '.join(twice)} is a model's name; rename the peer")
        if len(set(self.models)) < len(self.models):
            raise ValueError("models: a name stands twice")
        if len(set(self.chromosomes)) < len(self.chromosomes):
            raise ValueError("chromosomes: a name stands twice")
        for name in self.models:
            asked = self.network[name].neighbours
            if asked > self.neighbours.count:
                raise ValueError(
                    f"network.{name}.neighbours: {asked} is more than neighbours.count "
                    f"{self.neighbours.count} provides"
                )
            self.training_of(name)
        return self

    @property
    def is_simulated(self) -> bool:
        """Whether the panel is the one that the stage `demo` simulates."""
        return _is_demo(self.panel.vcf)

    @property
    def shows_example(self) -> bool:
        """Whether the report shows alleles of a test person, though not their name."""
        wanted = self.report.example
        return wanted == "always" or (wanted == "simulated" and self.is_simulated)

    def training_of(self, model: str) -> TrainingSettings:
        """Training settings of one model: the common ones with the model's own replacing them."""
        return TrainingSettings.model_validate(
            self.training.model_dump() | self.network[model].training
        )

    def fill(self, path: str, **more: str) -> str:
        """Fill `{data}`, `{results}` and what else is given into a configured path."""
        for key, value in {"data": self.data, "results": self.results, **more}.items():
            path = path.replace("{" + key + "}", value)
        return path

# make run    the whole pipeline on the simulated default panel, from a bare machine to a report
# make test   the tests
# make lint   what CI checks besides the tests        make format   put the sources in order
# make reproduce   a small pipeline twice; says which files differ
# make docs        the documentation as a site, build/site/index.html
# make pins        envs/* from pyproject.toml; with UPGRADE=--upgrade the newest versions of all packages

PYTHON ?= python3
CORES ?= $(shell nproc)
DEVICE ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
GPUS := $(if $(filter gpu,$(DEVICE)),1,0)
SNAKEFILES := workflow/Snakefile $(wildcard workflow/rules/*.smk)
PYTHONS := workflow/haplorag tests benchmarks docs envs
UV := uv==0.13.9

export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run announce test lint format docs reproduce pins

run: announce .venv/.$(DEVICE)
	@snakemake --cores $(CORES) --resources gpu=$(GPUS) --set-resources imputation:gpu=1 neighbours:gpu=1 --logger haplorag
	@echo "The report:       $$PWD/results/report/report.html"
	@echo "The imputed VCF:  $$PWD/results/imputation/demo.vcf.gz"
	@echo "Logs:             $$PWD/results/logs"

announce:
	@echo "haplorag simulates a panel, trains two models on it, judges them and imputes a target, on $(DEVICE), cores: $(CORES)."
	@echo "That takes about 6 minutes on 2 cores (8 minutes of CPU time), and some minutes more the first time, for the packages."
	@echo "What is made already is not made again."

test: .venv/.dev
	pytest --numprocesses $(CORES) --dist loadfile

lint: .venv/.dev
	ruff check $(PYTHONS)
	ruff format --check $(PYTHONS)
	snakefmt --check $(SNAKEFILES)
	mypy
	snakemake --lint

format: .venv/.dev
	ruff check --fix $(PYTHONS)
	ruff format $(PYTHONS)
	snakefmt $(SNAKEFILES)

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=workflow mkdocs build --strict
	@echo "The documentation: $$PWD/build/site/index.html"

# Times, logs and what shows them differ by nature.
reproduce: .venv/.$(DEVICE)
	rm -rf results/reproduce
	for run in first second; do \
	  snakemake --cores $(CORES) --configfile tests/tiny.yaml --config results=results/reproduce/$$run --quiet rules || exit 1; \
	done
	cd results/reproduce && for kind in demo samples genotypes frequencies relatives windows shards everyone masks rates neighbours \
	  training imputer baselines predictions evaluation imputation quality; do diff -rq -x '.*' -x metrics.tsv first/$$kind second/$$kind || exit 1; done
	@echo "Everything up to the evaluation and the imputed VCF is the same twice."

pins: .venv/.python
	pip install --disable-pip-version-check --quiet $(UV)
	python envs/pins.py $(UPGRADE)

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "haplorag needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.$(DEVICE): envs/$(DEVICE).txt pyproject.toml | .venv/.python
	@echo "Packages are installed into .venv (1.4 GB without a GPU's), which takes some minutes the first time ..."
	@pip install --disable-pip-version-check --quiet -r envs/$(DEVICE).txt
	@pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

.venv/.docs: envs/docs.txt .venv/.$(DEVICE)
	pip install --disable-pip-version-check --quiet -r envs/docs.txt
	touch $@

.venv/.dev: envs/dev.txt envs/slurm.txt .venv/.$(DEVICE)
	pip install --disable-pip-version-check --quiet -r envs/dev.txt
	touch $@

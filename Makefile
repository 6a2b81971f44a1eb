# make demo   install, run the demo suite, print its leaderboard
# make test   install, run the test suite          (make quick: without the slow tests)
# make test-processors   the quick tests as other processors compute, as far as this one can imitate them
# make lint   ruff, and the types that pyright finds wrong
# make gpu    what is worth running on a GPU, in order, for at most MINUTES=60; goes on where it stopped; records to OUT=DIR too
# make verify   three short committed records, drawn at random, made again: a few minutes   (COUNT=1 one; SEED=N the same draw again)
# make drift  every committed page, figure and picture beside what the records and the code give
# make bench  speed of everything beside its bound and its peers
# make slurm-test   SLURM on this machine, and every fault on it   (make torture: a hundred random kills)
# PYTHON=python3.12 make demo picks the interpreter; it must be 3.11 or newer.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
UV_VERSION := 0.13.9
# A test process a core; each begins with a run of neighbours, which share what is costly to build.
PYTEST_SPREAD := -n auto --dist worksteal

.PHONY: demo test quick test-processors gpu verify drift bench lint slurm-test torture constraints clean

demo: $(READY)
	$(VENV)/bin/python run_bench.py demo

test: $(READY)
	$(VENV)/bin/python -m pytest $(PYTEST_SPREAD)

quick: $(READY)
	$(VENV)/bin/python -m pytest $(PYTEST_SPREAD) -m "not slow"

# Which kernels compute, and so how they round, depends on what oneDNN and torch find in the processor. Both can be kept from using all
# of it, which imitates one that has less; where a variable is left out all is used. avx2 has to be there.
PROCESSORS := ONEDNN_MAX_CPU_ISA=SSE41,ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2,ATEN_CPU_CAPABILITY=avx2 \
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=default ATEN_CPU_CAPABILITY=avx2
# make test-processors TESTS=tests/views   these alone.
TESTS :=

test-processors: $(READY)
	@for processor in $(PROCESSORS); do \
		echo "$$processor"; \
		env -u ONEDNN_MAX_CPU_ISA -u ATEN_CPU_CAPABILITY $$(echo "$$processor" | tr , ' ') \
			$(VENV)/bin/python -m pytest $(PYTEST_SPREAD) -m "not slow" $(TESTS) || { echo "red with $$processor" >&2; exit 1; }; \
	done

# SLURM itself, on two nodes that are this machine: installed from Debian, started in a temporary folder, taken down again.
# SSLBENCH_SKIP_SLURM=1 lets it pass where SLURM cannot be installed.
slurm-test: $(READY)
	@tests/slurm/local-slurm install || { echo "SLURM cannot be installed here" >&2; test -n "$$SSLBENCH_SKIP_SLURM"; }
	@if command -v slurmctld > /dev/null; then SSLBENCH_SLURM=1 $(VENV)/bin/python -m pytest -n 3 --dist worksteal --durations=5 tests/slurm $(AGAIN); fi

torture: $(READY)
	tests/slurm/local-slurm install
	SSLBENCH_SLURM=1 SSLBENCH_KILLS=100 $(VENV)/bin/python -m pytest tests/slurm -k random_kills

# benchmarks/gpu.toml, entry by entry. TINY=DIR tries all of it without a GPU, tiny.
MINUTES := 60
OUT :=
TINY :=

gpu: $(READY)
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --constraint constraints.txt --editable '.[benchmarks]' || echo "without the libraries that speed is compared with: benchmarks will fail" >&2
	$(VENV)/bin/python run_bench.py queue benchmarks/gpu.toml --minutes $(MINUTES) $(if $(OUT),--out $(OUT)) $(if $(TINY),--tiny $(TINY))

# Of records that took no longer, in seconds, with their evaluation.
COUNT := 3
AT_MOST := 60
SEED :=

verify: $(READY)
	$(VENV)/bin/python run_bench.py verify $(COUNT) --at-most $(AT_MOST) --unrecorded $(if $(SEED),--seed $(SEED))

# Figures' bytes are their libraries' too, those of constraints.txt. Pages that are made of the code alone are compared by the tests.
REPORTS := cifar10 cifar10_new_seeds cifar10_short_runs tiny_imagenet50 cifar10_200epochs text time

drift: $(READY)
	$(VENV)/bin/python run_bench.py figure draw all --check
	$(VENV)/bin/python run_bench.py views all --check
	@for name in $(REPORTS); do \
		$(VENV)/bin/python run_bench.py report --results results/$$name --output docs/$$name --check || exit 1; \
	done

# Speed, beside its bounds and peers, into docs/performance.*; under 15 minutes on two cores with nothing else going on.
bench: $(READY)
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --constraint constraints.txt --editable '.[benchmarks]'
	$(VENV)/bin/python -m benchmarks

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/basedpyright --pythonpath $(VENV)/bin/python

# uv is seldom on a machine, so it goes into the environment itself; it installs 7 GB in about half a minute,
# and compiles it, which spares every later start seconds.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; PYTHON=/path/to/python3.11 make demo" >&2; exit 2; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --constraint constraints.txt --editable '.[dev]'
	touch $@

# Freeze what is installed and tested now; no address of any registry goes in.
constraints: $(READY)
	$(VENV)/bin/uv pip freeze --python $(VENV)/bin/python --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV)

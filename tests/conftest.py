"""What every test starts from: one CPU thread, which is faster for small work and the same on every machine; the real data sets."""

import os
import sys

import pytest
import torch

import run_bench
from bench import defaults
from bench.data import catalogue

# Those take a cluster: make slurm-test.
collect_ignore = [] if os.environ.get("SSLBENCH_SLURM") else ["slurm"]


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def fixed_weights():
    """Every test that asks for it draws the same weights, and leaves the generator as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def real_root():
    """$SSLBENCH_DATA, or a skip."""
    if not os.environ.get("SSLBENCH_DATA"):
        pytest.skip("set SSLBENCH_DATA to the folder of the real data sets")
    return defaults.data_root()


@pytest.fixture
def real_set(real_root):
    """real_set(name) -> the folder of real data, or a skip where it lacks this set."""

    def require(name: str):
        if not (real_root / catalogue.entry(name).files[0]).exists():
            pytest.skip(f"no {name} under SSLBENCH_DATA")
        return real_root

    return require


@pytest.fixture
def bench(monkeypatch, capsys):
    """Call the program in this process: -> (exit code, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["run_bench.py", *map(str, arguments)])
        code = 0
        try:
            run_bench.main()
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory; nothing of the user's environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SSLBENCH_DATA", "SSLBENCH_SCRATCH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path

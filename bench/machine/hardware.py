"""What a run ran on: device, processor, versions, commit; all of it provenance, kept in the record."""

import contextlib
import platform
import resource
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from bench.machine.checkout import state_of_code
from bench.machine.cores import cores
from bench.machine.memory import give_back_freed_memory

PACKAGES = ("torch", "torchvision", "timm", "faiss-gpu", "faiss-cpu", "scikit-learn", "numpy", "pandas", "submitit")


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def processor() -> str:
    """The CPU's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux: the platform module knows what there is to know
    return platform.processor() or platform.machine()


def default_threads() -> int:
    """CPU threads of a run: on a CPU one, so that many runs share it well and a run has the same bits however it was
    launched; on a GPU each its share of the cores."""
    gpus = torch.cuda.device_count()
    return max(1, cores() // gpus) if gpus else 1


def default_precision() -> str:
    """bf16 on a GPU or a processor that multiplies in it (AVX-512 BF16, AMX), else float32: measured on one with AVX2 alone,
    emulated bfloat16 trained at an eighth of float32's speed."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "float32"


def describe_device(processes: int, threads: int) -> str:
    """'2 threads of AMD EPYC', '1 NVIDIA H200, 16 threads of AMD EPYC' or '2 x 1 thread of AMD EPYC': what a budget in seconds
    depends on. threads: of each process."""
    host = f"{threads} thread{'s' * (threads > 1)} of {processor()}"
    host = f"{processes} x {host}" if processes > 1 else host
    return f"1 {torch.cuda.get_device_name()}, {host}" if torch.cuda.is_available() else host


def hardware(processes: int = 1) -> dict:
    """The record's hardware: the model that the training ran on, GPU, processor, cores, and the processes that shared the run."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"model": gpu or processor(), "gpu": gpu, "cpu": processor(), "cores": cores(), "processes": processes}


def environment(threads: int) -> dict:
    """The record's environment: versions, commit of the code, whether it was as committed, CPU threads of a process."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # faiss-gpu or faiss-cpu, never both
    code = state_of_code()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "commit": code.commit,
        "dirty": code.dirty,
        "threads": threads,
    }


def reset_peak_memory() -> None:
    """Begin a new peak: a process may do several runs. Where the kernel cannot, the peak stays the whole process's."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    give_back_freed_memory()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the resident set's high-water mark starts from now


def peak_memory_bytes() -> int:
    """On a GPU the largest allocation since the reset; on a CPU the largest resident set."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        # macOS counts in bytes, other systems in KiB.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

"""Where and with what figures were made: nobody can compare them otherwise."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vqspeech.synthesis.loaded import LoadedModel

_PACKAGES = ("numpy", "torch", "librosa", "onnxruntime", "pocketsphinx", "faster-whisper")
_PACKAGES += ("visqol-python",)


def about(loaded: LoadedModel, seed: int) -> dict[str, Any]:
    """What begins every report: model, version, date, machine, seed."""
    return {
        "model": loaded.config.name,
        "fingerprint": loaded.fingerprint,
        "vqspeech": version("vqspeech"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "seed": seed,
    }


def machine() -> dict[str, str | int]:
    """Where figures were made: processor, cores, system and the versions that matter."""
    found = {"processor": _processor(), "cores": os.cpu_count() or 1}
    found |= {"system": platform.platform(), "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""The passes under other BLAS kernels: which are run on which machine, and that a pass with wrong kernels fails."""

import os
import subprocess
import sys

import kernels
import pytest

AVX2, AVX512 = {"sse2", "avx2", "fma"}, {"sse2", "avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw"}


def library(architecture="Haswell", threads=1, api="openblas", path="numpy.libs/libopenblas64.so"):
    return {
        "internal_api": api,
        "user_api": "blas",
        "version": "0.3.30",
        "architecture": architecture,
        "num_threads": threads,
        "filepath": path,
    }


@pytest.mark.parametrize(
    ("own", "able", "expected"),
    [
        ("SkylakeX", AVX512, ["Haswell", "Prescott"]),
        ("Sapphirerapids", AVX512, ["Haswell", "Prescott"]),
        ("Haswell", AVX2, ["Prescott", "Nehalem"]),
        ("Haswell", AVX512, ["SkylakeX", "Prescott"]),  # a Zen 4
        ("Zen", AVX2, ["Prescott", "Nehalem"]),
        ("Nehalem", {"sse2"}, ["Prescott"]),  # AVX2 would end it with an illegal instruction
        ("Sandybridge", set(), ["Prescott", "Nehalem"]),
    ],
)
def test_two_other_families_that_the_processor_can_run(own, able, expected):
    assert kernels.other_families([library(own)], able, "x86_64") == (expected, "")
    assert kernels.other_families([library(own), library(own)], able, "AMD64") == (expected, "")


@pytest.mark.parametrize(
    ("own", "processor", "words"),
    [
        ([library("neoversen1")], "aarch64", "this one is aarch64"),
        ([library(api="mkl")], "x86_64", "only OpenBLAS lets its kernels be chosen by name; BLAS: mkl"),
        ([library(), library(api="mkl")], "x86_64", "only OpenBLAS"),
        ([], "x86_64", "none that threadpoolctl knows"),
    ],
)
def test_elsewhere_the_passes_are_left_out_with_a_reason(own, processor, words):
    chosen, skipped = kernels.passes(own, AVX512, processor, 2)
    assert chosen == [kernels.Pass(None, 2)]
    assert len(skipped) == 1
    assert words in skipped[0]


def test_two_threads_need_two_cores():
    chosen, skipped = kernels.passes([library("SkylakeX")], AVX512, "x86_64", 1)
    assert chosen == [kernels.Pass("Haswell", 1), kernels.Pass("Prescott", 1)]
    assert skipped == ["no pass with two threads: this process may use one core only"]
    assert kernels.passes([library("SkylakeX")], AVX512, "x86_64", 2)[0][2:] == [kernels.Pass(None, 2)]


def test_the_environment_of_a_pass(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "OPENBLAS_CORETYPE" not in kernels.Pass(None, 2).environment()
    assert kernels.Pass(None, 2).environment()["OMP_NUM_THREADS"] == "2"
    assert kernels.Pass("Haswell", 1).environment()["OPENBLAS_CORETYPE"] == "Haswell"
    assert kernels.Pass("Haswell", 1).options == ["--blas-kernel=Haswell", "--blas-threads=1"]


@pytest.mark.parametrize(
    ("found", "asked", "words"),
    [
        ([library("Zen", 1)], ("Haswell", 1), ""),
        ([library("Katmai", 1)], ("Prescott", None), ""),
        (
            [library("SkylakeX", 1)],
            ("Haswell", 1),
            "libopenblas64.so uses SkylakeX kernels; expected those of OPENBLAS",
        ),
        ([library("Haswell"), library("SkylakeX", path="b.so")], ("Haswell", 1), "b.so uses SkylakeX kernels"),
        ([library("Haswell", 2)], ("Haswell", 1), "uses 2 threads; expected 1"),
        ([library("Haswell", 1)], (None, 2), "uses 1 threads; expected 2"),
        ([], ("Haswell", 1), "no BLAS library is loaded that threadpoolctl knows"),
    ],
)
def test_a_pass_that_is_not_what_it_says_is_noticed(found, asked, words):
    complaint = kernels.complaint(found, *asked)
    assert words in complaint
    assert bool(complaint) == bool(words)


def test_the_tests_themselves_fail_then():
    # kernels of that name do not exist, so OpenBLAS takes the machine's own
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--blas-kernel=Antikythera"]
    done = subprocess.run(
        [*command, "tests/planted/test_checks.py"],
        cwd=kernels.ROOT,
        env={**os.environ, "OPENBLAS_CORETYPE": "Antikythera"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "kernels; expected those of OPENBLAS_CORETYPE=Antikythera" in done.stdout + done.stderr


def test_the_numeric_tests_are_those_of_the_numeric_folders():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command += ["-m", "numeric", "tests/planted/test_checks.py", "tests/figures/test_panels.py"]
    done = subprocess.run(command, cwd=kernels.ROOT, capture_output=True, text=True, check=True)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert found
    assert all(line.startswith("tests/planted/test_checks.py::") for line in found)


def test_this_machine_has_a_plan():
    found = kernels.libraries()
    assert kernels.words(found).startswith("BLAS: ")
    chosen, skipped = kernels.passes(found, kernels.abilities(), "x86_64", 2)
    assert chosen[-1] == kernels.Pass(None, 2)
    assert len({one.title for one in chosen}) == len(chosen)
    assert len(chosen) > 1 or skipped

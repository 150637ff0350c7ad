"""A suite that other data-parallel frameworks have, in dseq's words; what is not here is in the files named.

Equal training on any number of ranks: test_training, test_strict; batches that do not divide: test_training, test_fuzz;
unequal numbers of iterations: test_sources; ranks that differ: test_communicator, bad_input; failures: test_abort;
gradient accumulation and compression: test_exchange; communicators of the script's own: test_teams.
"""

from pathlib import Path

import pytest

from tests.mpi.mpirun import run

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.parametrize("ranks, engine", [(1, "auto"), (2, "flat"), (3, "auto"), (4, "auto"), (5, "flat")])
def test_conformance(ranks, engine, tmp_path):
    done = run([PROGRAMS / "conformance.py", tmp_path], ranks, 120, {"DSEQ_ENGINE": engine})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("is done") == ranks


def test_help_of_a_script_starts_no_mpi(program):
    script = program("""
        import argparse
        import sys

        import dseq

        assert "mpi4py" not in sys.modules
        argparse.ArgumentParser(description="trains").parse_args(["--help"])
    """)
    for ranks in (1, 2):
        done = run(script, ranks)
        assert done.returncode == 0 and done.stdout.count("trains") == ranks, done.stderr

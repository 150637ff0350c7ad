"""`DSEQ_TIMELINE` and what is said after epochs: spans of all ranks that do not overlap but lie within each other."""

import json
import re
from pathlib import Path

import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "timeline.py"


@pytest.mark.parametrize("engine, extra", [("node", []), ("flat", ["strict"])])
def test_where_the_time_goes(engine, extra, tmp_path):
    file = tmp_path / "times.json"
    done = run([PROGRAM, *extra], 2, 60, {"DSEQ_ENGINE": engine, "DSEQ_TIMELINE": str(file)})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = re.findall(r"dseq: epoch \d: [\d,]+ samples/s on 2 ranks; .*parallel efficiency (\d+)%", done.stdout)
    assert len(lines) == 3
    events = json.loads(file.read_text())["traceEvents"]
    assert [e["args"]["name"].split()[1] for e in events if e["ph"] == "M"] == ["0", "1"]
    for rank in (0, 1):
        spans = sorted((e["ts"], -e["dur"], e["name"]) for e in events if e["ph"] == "X" and e["tid"] == rank)
        names = [name for *_, name in spans]
        assert set(names) == {"input", "compute", "exchange", "wait"}
        assert names.count("input") == 2 * 4 + 4  # the last finds the end
        ends = []
        for begin, minus, name in spans:
            while ends and ends[-1] <= begin + 1:
                ends.pop()
            assert not ends or begin - minus <= ends[-1] + 1, name  # within the one that is open
            ends.append(begin - minus)
    slept = sum(e["dur"] for e in events if e["name"] == "compute" and e["tid"] == 1)
    assert slept > 9 * 20_000  # microseconds


def test_a_file_that_cannot_be_written(tmp_path):
    done = run(PROGRAM, 2, 60, {"DSEQ_TIMELINE": str(tmp_path / "none" / "times.json")})
    assert done.returncode != 0 and "times.json" in done.stderr

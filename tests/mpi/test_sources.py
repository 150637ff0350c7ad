"""Data of every kind on several ranks: the same loss curves; errors and uneven ends take no rank apart."""

from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "sources.py"


def trained(ranks, folder):
    done = run([PROGRAM, folder], ranks, timeout=120)
    assert done.returncode == 0 and "all sources agree" in done.stdout, done.stdout + done.stderr
    return dict(np.load(folder / "results.npz"))


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    return trained(1, tmp_path_factory.mktemp("alone"))


def test_all_sources_give_the_same(one_rank):
    for name, values in one_rank.items():
        kind, _, what = name.partition("/")
        if f"arrays/{what}" in one_rank and " " not in kind:
            np.testing.assert_array_equal(values, one_rank[f"arrays/{what}"], err_msg=name)
    assert not np.allclose(one_rank["True windows/loss"], one_rank["True one window/loss"], rtol=1e-6)
    assert not np.allclose(one_rank["True windows/loss"], one_rank["batch windows/loss"], rtol=1e-6)


@pytest.mark.parametrize("ranks", [2, 5])
def test_any_number_of_ranks_gives_the_same(ranks, one_rank, tmp_path):
    result = trained(ranks, tmp_path)
    assert set(result) == set(one_rank)
    for name, expected in one_rank.items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(result[name], expected, rtol=1e-5, atol=1e-5 * scale, err_msg=name)


FAILING = """
    import sys
    import h5py
    import numpy as np
    import dseq
    from dseq.parallel import communicator
    from tests.training.sources import Whole

    world = communicator.get()
    x, y = np.zeros((100, 4), "float32"), np.zeros((100, 1), "float32")
    here = world.rank == 1

    def generator():
        for i in range(1000):
            if here and i == 30:
                raise RuntimeError("the generator's words")
            yield x[:10], y[:10]

    class Broken(Whole):
        def __getitem__(self, index):
            if here and index == 5:
                raise RuntimeError("the generator's words")
            return super().__getitem__(index)

    def damaged():
        path = "{folder}/" + str(world.rank) + ".h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=np.random.default_rng(0).random((100, 4)), chunks=(10, 4), fletcher32=True)
            file["y"] = y
            place = file["x"].id.get_chunk_info(7).byte_offset
        if here:
            with open(path, "r+b") as file:
                file.seek(place + 3)
                file.write(b"the generator's words"[:9])
        return dseq.data.HDF5(path, buffer_size=400)

    makers = {{
        "generator": generator,
        "first": lambda: (1 / 0 for _ in range(3)) if here else generator(),
        "PyDataset": lambda: Broken(x, y),
        "threads": lambda: Broken(x, y, workers=2),
        "processes": lambda: Broken(x, y, workers=1, use_multiprocessing=True),
        "damaged": damaged,
        "missing": lambda: dseq.data.HDF5("{folder}/none.h5") if here else generator(),
    }}
    model = dseq.Sequential([dseq.Input((4,)), dseq.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(makers["{kind}"](), batch_size=10, epochs=3, shuffle=False, verbose=0)
    print("not reached")
"""
WORDS = {
    "first": "ZeroDivisionError",
    "damaged": "is damaged or incomplete: rows 75 to 79",
    "missing": "There is no data file",
}


@pytest.mark.parametrize("kind", ["generator", "first", "PyDataset", "threads", "processes", "damaged", "missing"])
def test_data_that_fail_on_one_rank_end_the_job(kind, program, tmp_path):
    done = run(program(FAILING.format(kind=kind, folder=tmp_path)), 2, timeout=60)
    assert done.returncode != 0 and "not reached" not in done.stdout, done.stdout + done.stderr
    assert "[dseq rank 1/2 " in done.stderr and "[dseq rank 0/2 " not in done.stderr, done.stderr
    assert WORDS.get(kind, "the generator's words") in done.stderr, done.stderr


@pytest.mark.parametrize("kind", ["threads", "generator"])
def test_data_that_fail_on_all_ranks_are_said_once(kind, program, tmp_path):
    script = program(FAILING.replace("world.rank == 1", "True").format(kind=kind, folder=tmp_path))
    done = run(script, 3, timeout=60)
    assert done.returncode != 0 and done.stderr.count("[dseq rank") == 1, done.stderr
    assert "RuntimeError: the generator's words" in done.stderr

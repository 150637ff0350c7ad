"""`keras.distribution` on one rank: Keras' names and rules; tests/mpi/test_teams.py has several."""

import copy
import pickle

import pytest

import dseq
from dseq import distribution


@pytest.fixture(autouse=True)
def nothing_in_force():
    yield
    distribution.set_distribution(None)


def test_scopes_lie_in_each_other_and_end_with_an_exception():
    one, two = distribution.DataParallel(), distribution.DataParallel(devices=["cpu:0"])
    assert distribution.distribution() is None
    distribution.set_distribution(one)
    assert distribution.distribution() is one
    with pytest.raises(KeyError), two.scope():
        assert distribution.distribution() is two
        with one.scope():
            assert distribution.distribution() is one
        raise KeyError
    assert distribution.distribution() is one


def test_a_model_keeps_the_distribution_it_was_made_in():
    chosen = distribution.DataParallel()
    with chosen.scope():
        model = dseq.Sequential([dseq.Input((2,)), dseq.layers.Dense(1)])
    assert model.distribution is chosen and copy.deepcopy(model).distribution is chosen
    assert pickle.loads(pickle.dumps(model)).distribution is None  # of another process, maybe
    assert dseq.Sequential([dseq.Input((2,)), dseq.layers.Dense(1)]).distribution is None


def test_one_rank_is_one_device():
    assert distribution.list_devices() == distribution.list_devices("cpu") == ["cpu:0"]
    assert distribution.get_device_count() == 1
    chosen = distribution.DataParallel()
    assert (chosen.num_model_replicas, chosen.num_processes, chosen.data_shard_id) == (1, 1, 0)
    distribution.initialize(num_processes=1, process_id=0)


@pytest.mark.parametrize(
    "call, rule",
    [
        (lambda: distribution.DataParallel(devices=["cpu:0", "cpu:1"]), "Received: 2 devices for 1 ranks"),
        (lambda: distribution.DataParallel(device_mesh=object()), "`device_mesh` must be None"),
        (lambda: distribution.DataParallel(auto_shard_dataset=False), "`auto_shard_dataset` must be True"),
        (lambda: distribution.list_devices("gpu"), "Received: 'gpu'"),
        (lambda: distribution.initialize(num_processes=4), "num_processes=4"),
        (lambda: distribution.set_distribution("all"), "Received: 'all'"),
        (lambda: distribution.DataParallel(communicator=3), "must be one of mpi4py's"),
        (lambda: distribution.DataParallel(exchange="half"), "Received: exchange='half'"),
        (lambda: distribution.Half("float32"), "dtype='float32'"),
        (lambda: distribution.TopK(0), "ratio=0"),
        (lambda: distribution.LocalSGD(0.5), "every=0.5"),
    ],
)
def test_arguments(call, rule):
    with pytest.raises((ValueError, TypeError), match=rule):
        call()

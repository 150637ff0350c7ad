"""Trains on communicators of the script's own; says what each rank found. Takes an empty folder."""

import gc
import os
import sys
import threading
from pathlib import Path

import numpy as np
from mpi4py import MPI

import dseq as keras
from dseq.parallel import communicator

folder = sys.argv[1]
world = MPI.COMM_WORLD
world.Set_errhandler(MPI.ERRORS_ARE_FATAL)
DataParallel = keras.distribution.DataParallel


def data(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype("float32")
    return x, np.sin(x @ rng.normal(size=(4, 2))).astype("float32")


def model_of(color):
    keras.utils.set_random_seed(7 + color)
    hidden = [keras.layers.Dense(6, activation="tanh"), keras.layers.Dropout(0.2)][: 1 + color]
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(2)])
    model.compile(["adam", "sgd"][color], "mse")
    return model


def together(comm, value):
    values = comm.allgather(value)
    assert all(v == values[0] for v in values), values
    return value


def close(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


# Two teams: other models, other data, other numbers of steps, at the same time.
color = world.rank % 2
team = world.Split(color, -world.rank)  # the last rank is the team's first
x, y = data([45, 30][color], color)
on_team = DataParallel(communicator=team)
with on_team.scope():
    assert keras.distribution.distribution() is on_team
    assert keras.distribution.get_device_count() == on_team.num_model_replicas == team.size
    model = model_of(color)
    keras.print_once(f"said by team {color}")
assert keras.distribution.distribution() is None and model.distribution is on_team

# The script's own collective calls on the same communicator may be in any place among those of dseq.
if team.rank == 0:
    pending = team.Ibarrier()
box = np.zeros(1)
letter = team.Irecv(box, MPI.ANY_SOURCE, MPI.ANY_TAG)
log = keras.callbacks.CSVLogger(os.path.join(folder, f"team{color}.csv"))
history = model.fit(
    x, y, 8, epochs=2 + 3 * color, verbose=2, callbacks=[log], validation_split=0.2, shuffle=True
).history
assert len(history["loss"]) == 2 + 3 * color
if team.rank > 0:
    pending = team.Ibarrier()
pending.Wait()
assert not letter.Test(), "a message of dseq came to the script"
team.Barrier()
team.Send(np.array([1.0 + team.rank]), (team.rank + 1) % team.size)
letter.Wait()
assert box[0] == 1 + (team.rank - 1) % team.size
assert world.Get_errhandler() == MPI.ERRORS_ARE_FATAL
team.barrier()
assert len(Path(folder, f"team{color}.csv").read_text().splitlines()) == 3 + 3 * color

# As on one rank: the same seeds, the same batches.
with DataParallel(communicator=MPI.COMM_SELF).scope():
    alone = model_of(color)
    assert alone.distribution.num_model_replicas == 1
lonely = alone.fit(x, y, 8, epochs=2 + 3 * color, verbose=0, validation_split=0.2).history
for name, values in history.items():
    np.testing.assert_allclose(values, lonely[name], rtol=2e-5, atol=1e-6)
close(model.get_weights(), alone.get_weights())
together(team, model.predict(x, verbose=0).tobytes())
np.testing.assert_allclose(model.evaluate(x, y, verbose=0), alone.evaluate(x, y, verbose=0), rtol=2e-5)
model.save_weights(os.path.join(folder, f"team{color}.weights.h5"))
model.load_weights(os.path.join(folder, f"team{color}.weights.h5"))

# A model of a team, one of all ranks and one of this rank, in turns; generators and data of other kinds too.
everybody = model_of(0)
x_all, y_all = data(24, 5)
for _ in range(3):
    losses = everybody.train_on_batch(x_all, y_all), model.train_on_batch(x, y), alone.train_on_batch(x, y)
    together(world, losses[0])
    np.testing.assert_allclose(losses[1], losses[2], rtol=2e-5)
for one in (model, alone):
    one.fit(((x[i : i + 6], y[i : i + 6]) for i in range(0, 24, 6)), epochs=1, verbose=0)
close(model.get_weights(), alone.get_weights())
together(world, b"".join(w.tobytes() for w in everybody.get_weights()))

# A model made in no distribution goes with the one that is in force.
free = model_of(color)
with on_team.scope():
    team_loss = free.train_on_batch(x, y)
    together(team, team_loss)
# A model that moves: from a team to all ranks, whose first rank's weights count.
everybody.distribution = on_team
before = everybody.get_weights()
assert everybody.distribution.num_model_replicas == team.size
everybody.fit(x, y, 8, epochs=1 + color, verbose=0)
together(team, b"".join(w.tobytes() for w in everybody.get_weights()))
assert max(abs(a - b).max() for a, b in zip(before, everybody.get_weights(), strict=True)) > 1e-4
everybody.distribution = None
everybody.predict(x_all, verbose=0)
together(world, b"".join(w.tobytes() for w in everybody.get_weights()))

# In another thread other ranks may be in force.
seen = []
with on_team.scope():
    thread = threading.Thread(target=lambda: seen.append(keras.distribution.distribution()))
    thread.start(), thread.join()
assert seen == [None]


# What is no group of ranks that this one is in.
def refused(kind, make):
    try:
        DataParallel(communicator=make)
    except kind as error:
        return str(error)
    raise AssertionError(f"{make} was taken")


assert "COMM_NULL" in refused(ValueError, MPI.COMM_NULL)
others = world.Split(MPI.UNDEFINED if world.rank == 0 else 1)
if world.rank == 0:
    assert "MPI.UNDEFINED" in refused(ValueError, others)
assert "mpi4py" in refused(TypeError, 3) and "mpi4py" in refused(TypeError, world.group)
if world.size > 1:
    between = team.Create_intercomm(0, world, (world.size - 1 - (color == (world.size - 1) % 2)), 1)
    assert "intercommunicator" in refused(ValueError, between)
    between.Free()

# One copy of each communicator, freed with it unless a model still trains on it.
if team.size > 1:
    assert DataParallel(communicator=team).ranks is on_team.ranks
    short = team.Dup()
    ranks = DataParallel(communicator=short).ranks
    short.Free()
    assert ranks.freed
    try:
        ranks.barrier()
    except RuntimeError as error:
        assert "freed" in str(error)
    else:
        raise AssertionError("a freed communicator worked")
for _ in range(int(sys.argv[2])):  # MPICH has 2048 in all
    short = world.Dup()
    DataParallel(communicator=short)
    short.Free()
team.Free()
model.distribution = on_team
model.train_on_batch(x, y)
del free, on_team
gc.collect()
assert DataParallel(communicator=world).ranks is communicator.whole() or world.size == 1
print(f"rank {world.rank} is done", flush=True)

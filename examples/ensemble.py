"""An ensemble: teams of ranks train a network each, at the same time, and their predictions are averaged.

    python examples/ensemble.py
    mpirun -n 4 python examples/ensemble.py
    mpirun -n 4 python examples/ensemble.py --members 2 --epochs 30

Four ranks and two members make two teams of two ranks. What a team does is no other team's business: members have
networks of other widths, which take other times. On fewer ranks than members, a team trains several, one by one.
"""

import argparse

import numpy as np
from mpi4py import MPI

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("--members", type=int, default=4)
parser.add_argument("--epochs", type=int, default=12)
arguments = parser.parse_args()

everybody = MPI.COMM_WORLD
(x_train, y_train), (x_test, y_test) = dseq.datasets.digits.load_data()

teams = min(arguments.members, everybody.size)
mine = everybody.rank * teams // everybody.size
team = everybody.Split(mine)
dseq.distribution.set_distribution(dseq.distribution.DataParallel(communicator=team))

total = np.zeros((len(x_test), 10))
for member in range(mine, arguments.members, teams):
    dseq.utils.set_random_seed(member)
    model = dseq.Sequential(
        [
            dseq.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(24 + 8 * member, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(dseq.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=arguments.epochs, verbose=0)
    predicted = model.predict(x_test, verbose=0)
    dseq.print_once(f"member {member}, {team.size} rank(s): test accuracy {np.mean(predicted.argmax(1) == y_test):.4f}")
    total += predicted

# Each team counts once, by its first rank.
total = everybody.allreduce(total if team.rank == 0 else np.zeros_like(total))
if everybody.rank == 0:
    print(f"ensemble of {arguments.members}: test accuracy {np.mean(total.argmax(1) == y_test):.4f}", flush=True)

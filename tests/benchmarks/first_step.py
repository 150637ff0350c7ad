"""A process of `bench_startup.py`: imports a framework, builds a small network, trains one step and says so.

python tests/benchmarks/first_step.py dseq
"""

import os
import sys

from networks import NETWORKS, data, keras_model
from worker import SINGLE_THREADED

framework = sys.argv[1]
network = NETWORKS["small"]
os.environ.update(SINGLE_THREADED)
x, y = (array[: network.batch] for array in data())

if framework == "torch":
    import torch
    from peer_torch import build

    torch.set_num_threads(1)
    model = build(network)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long()).backward()
    optimizer.step()
else:
    if framework == "keras":
        import keras
    else:
        import dseq as keras
    keras_model(keras, network).fit(x, y, batch_size=network.batch, epochs=1, verbose=0)

print("trained", flush=True)

"""The whole product in one small file; runs first."""

import numpy as np

import dseq


def test_a_small_model_learns_saves_and_loads(tmp_path):
    dseq.utils.set_random_seed(1)
    x = np.random.default_rng(0).standard_normal((200, 4)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype("int32")

    def build():
        return dseq.Sequential(
            [dseq.Input((4,)), dseq.layers.Dense(32, activation="tanh"), dseq.layers.Dense(2, activation="softmax")]
        )

    model = build()
    model.compile(dseq.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=24, epochs=60, verbose=0)
    assert history.history["loss"][-1] < 0.15 < history.history["loss"][0]
    _, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy > 0.95

    model.save_weights(tmp_path / "tiny.weights.h5")
    again = build()
    again.load_weights(tmp_path / "tiny.weights.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))

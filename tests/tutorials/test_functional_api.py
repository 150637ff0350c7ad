"""What tutorials on the functional API and on transfer learning show, with the numbers that they print."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.layers import Activation, Dense
from dseq.models import Model, Sequential

RANDOM = np.random.default_rng(0)
# The layer lands later: an unexpected pass fails, so that whoever adds it removes the mark.
waits_for_layers = pytest.mark.xfail(strict=True, raises=(AttributeError, ImportError))


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)


# The guide to sequential models.


def convolutional():
    model = Sequential([keras.Input(shape=(250, 250, 3))])
    model.add(layers.Conv2D(32, 5, strides=2, activation="relu"))
    model.add(layers.Conv2D(32, 3, activation="relu", name="my_intermediate_layer"))
    model.add(layers.Conv2D(32, 3, activation="relu"))
    return model


def test_features_of_every_convolution():
    model = convolutional()
    extractor = Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers])
    features = extractor(np.ones((1, 250, 250, 3)))
    assert [y.shape for y in features] == [(1, 123, 123, 32), (1, 121, 121, 32), (1, 119, 119, 32)]


def test_features_of_one_convolution():
    model = convolutional()
    extractor = Model(inputs=model.inputs, outputs=model.get_layer(name="my_intermediate_layer").output)
    assert extractor(np.ones((1, 250, 250, 3))).shape == (1, 121, 121, 32)
    assert [layer.name for layer in model.layers] == ["conv2d", "my_intermediate_layer", "conv2d_1"]


def test_features_of_every_dense_layer():
    model = Sequential([keras.Input(shape=(12,))])
    model.add(Dense(8, "relu"))
    model.add(Dense(6, "relu", name="my_intermediate_layer"))
    model.add(Dense(4))
    x = np.ones((1, 12))
    features = Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers])(x)
    assert [y.shape for y in features] == [(1, 8), (1, 6), (1, 4)]
    one = Model(inputs=model.inputs, outputs=model.get_layer(name="my_intermediate_layer").output)(x)
    np.testing.assert_array_equal(one, features[1])
    np.testing.assert_array_equal(model(x), features[2])
    assert [layer.name for layer in model.layers] == ["dense", "my_intermediate_layer", "dense_1"]
    with pytest.raises(ValueError, match=r"No such layer: nope. Existing layers are: \['dense', 'my_inter"):
        model.get_layer("nope")


def test_transfer_learning_trains_the_last_layer_only(tmp_path):
    def make():
        return Sequential(
            [keras.Input(shape=(784)), Dense(32, "relu"), Dense(32, "relu"), Dense(32, "relu"), Dense(10)]
        )

    make().save_weights(tmp_path / "trained.weights.h5")
    model = make()
    assert model.count_params() == 27562 and model.input_shape == (None, 784)
    model.load_weights(tmp_path / "trained.weights.h5")
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 6
    assert sum(w.numpy().size for w in model.trainable_weights) == 330
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    model.fit(RANDOM.random((64, 784)), RANDOM.integers(0, 10, 64), verbose=0)
    after = model.get_weights()
    for a, b in zip(before[:6], after[:6], strict=True):
        np.testing.assert_array_equal(a, b)
    assert all((a != b).any() for a, b in zip(before[6:], after[6:], strict=True))


def test_a_frozen_pretrained_base():
    base = keras.applications.Xception(weights=None, include_top=False, pooling="avg")
    base.trainable = False
    model = Sequential([base, Dense(1000)])
    assert base.count_params() == 20_861_480 and model.count_params() == 22_910_480
    assert len(model.trainable_weights) == 2


def test_a_frozen_base_of_dense_layers():
    base = Sequential([keras.Input((784,)), Dense(32, "relu"), Sequential([Dense(16, "relu")])])
    base.trainable = False
    model = Sequential([base, Dense(1000)])
    assert model.built and model.count_params() == 25120 + 528 + 17000
    assert len(model.trainable_weights) == 2 and not base.layers[1].layers[0].trainable


# Sequential against functional.


def test_the_first_layer_knows_its_input():
    model = Sequential()
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`"):
        model.add(Dense(32, input_shape=(784,)))
    model.add(Activation("relu"))
    assert model.count_params() == 25120 and model.output_shape == (None, 32)
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    with pytest.raises(
        ValueError, match=r'layer "dense".* expected axis -1 .* value 784, but received input with shape'
    ):
        model.fit(np.zeros((1000, 100)), np.zeros((1000, 1)), verbose=0)


def test_two_classes():
    with pytest.warns(UserWarning, match="input_dim"):
        model = Sequential([Dense(32, "relu", input_dim=100), Dense(1, "sigmoid")])
    assert model.count_params() == 3265
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    data, labels = RANDOM.random((200, 100)), RANDOM.integers(2, size=(200, 1))
    history = model.fit(data, labels, epochs=10, batch_size=32, verbose=0).history
    assert list(history) == ["accuracy", "loss"] and history["loss"][-1] < history["loss"][0]


def test_ten_classes():
    with pytest.warns(UserWarning, match="input_dim"):
        model = Sequential([Dense(32, "relu", input_dim=100), Dense(10, "softmax")])
    assert model.count_params() == 3562
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    labels = RANDOM.integers(10, size=(1000, 1))
    one_hot = keras.utils.to_categorical(labels, num_classes=10)
    assert one_hot.shape == (1000, 10) and (one_hot.argmax(1) == labels[:, 0]).all()
    history = model.fit(RANDOM.random((1000, 100)), one_hot, epochs=2, batch_size=32, verbose=0)
    assert history.params["steps"] == 32
    assert history.history["loss"][0] == pytest.approx(np.log(10), abs=0.15)


def chain():
    input_tensor = layers.Input(shape=(64,))
    x = Dense(32, activation="relu")(input_tensor)
    x = Dense(32, activation="relu")(x)
    return Model(input_tensor, Dense(10, activation="softmax")(x))


def test_the_same_model_as_a_graph(capsys):
    model = chain()
    assert [layer.count_params() for layer in model.layers] == [0, 2080, 1056, 330] and model.count_params() == 3466
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    data, labels = RANDOM.random((100, 64)), keras.utils.to_categorical(RANDOM.integers(10, size=100), 10)
    model.fit(data, labels, epochs=2, batch_size=128, verbose=0)
    assert np.isfinite(model.evaluate(data, labels, verbose=0))
    model.summary()
    shown = capsys.readouterr().out
    assert 'Model: "functional"' in shown and "input_layer (InputLayer)" in shown and "3,466" in shown
    with pytest.raises(ValueError, match=r"expected shape=\(None, 64\), found shape=\("):
        model.fit(RANDOM.random((1000, 100)), RANDOM.random((1000, 10)), verbose=0)


def test_models_are_called_like_layers():
    model = chain()
    x = keras.Input((64,))
    y = model(x)
    assert y.shape == (None, 10)
    twice = Model(x, layers.add([y, model(x)]))
    assert twice.count_params() == 3466 and len([layer for layer in twice.layers if layer is model]) == 1
    data = RANDOM.random((7, 64)).astype("float32")
    np.testing.assert_allclose(twice(data), 2 * model(data), rtol=1e-6)


def test_a_model_for_every_step_of_a_sequence():
    x = layers.Input((784,))
    digits = Model(x, Dense(10, "softmax")(Dense(4, "relu")(x)))
    frames = keras.Input(shape=(20, 784))
    scores = layers.TimeDistributed(digits)(frames)
    assert scores.shape == (None, 20, 10)
    data = RANDOM.random((2, 20, 784)).astype("float32")
    expected = digits(data.reshape(40, 784)).reshape(2, 20, 10)
    np.testing.assert_allclose(Model(frames, scores).predict(data, verbose=0), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="64"):
        layers.TimeDistributed(chain())(keras.Input(shape=(20, 784)))


@waits_for_layers
def test_answers_from_text_and_question():
    text_input = keras.Input(shape=(None,), dtype="int32", name="text")
    encoded_text = layers.LSTM(32)(layers.Embedding(10000, 64)(text_input))
    question_input = keras.Input(shape=(None,), dtype="int32", name="question")
    encoded_question = layers.LSTM(16)(layers.Embedding(10000, 32)(question_input))
    concatenated = layers.concatenate([encoded_text, encoded_question], axis=-1)
    model = Model([text_input, question_input], Dense(500, activation="softmax")(concatenated))
    counts = sorted(layer.count_params() for layer in model.layers if layer.count_params())
    assert counts == [3136, 12416, 24500, 320000, 640000] and model.count_params() == 1_000_052
    model.compile("rmsprop", "categorical_crossentropy", metrics=["acc"])
    text, question = RANDOM.integers(1, 10000, (32, 12)), RANDOM.integers(1, 10000, (32, 7))
    answers = keras.utils.to_categorical(RANDOM.integers(500, size=32), 500)
    model.fit([text, question], answers, epochs=1, batch_size=128, verbose=0)
    history = model.fit({"text": text, "question": question}, answers, epochs=1, batch_size=128, verbose=0).history
    assert list(history) == ["acc", "loss"] and history["loss"][0] == pytest.approx(np.log(500), abs=0.05)


def test_answers_from_two_named_inputs():
    """The same model with counted words in place of sequences."""
    text, question = keras.Input((40,), name="text"), keras.Input((20,), name="question")
    encoded = layers.concatenate([Dense(32, "relu")(text), Dense(16, "relu")(question)], axis=-1)
    assert encoded.shape == (None, 48)
    model = Model([text, question], Dense(500, activation="softmax")(encoded))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["acc"])
    words, asked = RANDOM.random((64, 40)), RANDOM.random((64, 20))
    answers = keras.utils.to_categorical(RANDOM.integers(500, size=64), 500)
    weights, results = model.get_weights(), []
    for data in ([words, asked], {"question": asked, "text": words}, {"text": words, "question": asked, "more": asked}):
        model.compile("rmsprop", "categorical_crossentropy", metrics=["acc"])
        model.set_weights(weights)
        results.append(model.fit(data, answers, epochs=2, batch_size=16, shuffle=False, verbose=0).history)
    assert list(results[0]) == ["acc", "loss"] and results[0]["loss"][0] == pytest.approx(np.log(500), abs=0.1)
    assert results[0] == results[1] == results[2]
    with pytest.raises(ValueError, match=r'Missing data for input "question".*keys \[.text.\].*Expected'):
        model.fit({"text": words}, answers, verbose=0)


def of_posts(trunk):
    age = Dense(1, name="age")(trunk)
    income = Dense(10, activation="softmax", name="income")(trunk)
    gender = Dense(1, activation="sigmoid", name="gender")(trunk)
    return [age, income, gender]


def test_three_predictions_from_posts():
    vocabulary_size = 50
    posts = keras.Input(shape=(None,), dtype="int32", name="posts")
    x = layers.Embedding(256, vocabulary_size)(posts)
    x = layers.Conv1D(128, 5, activation="relu")(x)
    for _ in range(2):
        x = layers.MaxPooling1D(5)(x)
        x = layers.Conv1D(256, 5, activation="relu")(x)
        x = layers.Conv1D(256, 5, activation="relu")(x)
    x = Dense(128, activation="relu")(layers.GlobalMaxPooling1D()(x))
    model = Model(posts, of_posts(x))
    assert model.count_params() == 1_227_276 and model.output_names == ["age", "income", "gender"]
    assert [y.shape for y in model.predict(RANDOM.integers(0, 256, (2, 400)), verbose=0)] == [(2, 1), (2, 10), (2, 1)]


LOSSES = {"age": "mse", "income": "categorical_crossentropy", "gender": "binary_crossentropy"}
WEIGHTS = {"age": 0.25, "income": 1.0, "gender": 10.0}


def test_three_predictions_from_numbers():
    """Losses, weights and targets as lists and as dicts: eight ways, one result."""
    posts = keras.Input((30,), name="posts")
    model = Model(posts, of_posts(Dense(16, "relu")(posts)))
    assert model.output_names == ["age", "income", "gender"]
    x = RANDOM.random((64, 30)).astype("float32")
    income = keras.utils.to_categorical(RANDOM.integers(10, size=64), 10)
    targets = {"age": RANDOM.integers(18, 80, (64, 1)), "income": income, "gender": RANDOM.integers(2, size=(64, 1))}
    start, histories = model.get_weights(), []
    for loss in (LOSSES, list(LOSSES.values())):
        for loss_weights in (WEIGHTS, list(WEIGHTS.values())):
            for y in (targets, list(targets.values())):
                model.set_weights(start)
                model.compile("rmsprop", loss=loss, loss_weights=loss_weights)
                histories.append(model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0).history)
    assert all(history == histories[0] for history in histories[1:])
    first = histories[0]
    assert list(first) == ["age_loss", "gender_loss", "income_loss", "loss"]
    total = sum(WEIGHTS[name] * first[f"{name}_loss"][0] for name in WEIGHTS)
    assert first["loss"][0] == pytest.approx(total, rel=1e-6), "the single losses are not weighted"
    assert first["age_loss"][0] > 100 * first["income_loss"][0] > 0, "which is why one weights them"

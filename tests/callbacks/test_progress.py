"""The progress bar: what is drawn, how often, and what a terminal shows of it."""

import os
import pty
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from dseq.callbacks import CallbackList, ProgbarLogger, progress
from dseq.callbacks.logs import LazyLogs
from dseq.callbacks.progress import Progbar

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import time
    from dseq.callbacks import CallbackList
    callbacks = CallbackList(add_progbar=True, verbose={verbose!r}, epochs=2, steps=12)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for step in range(12):
            time.sleep(0.02)
            callbacks.on_train_batch_end(step, {{"loss": 0.314159, "accuracy": (step + 1) / 12}})
        callbacks.on_test_begin()
        callbacks.on_test_batch_end(0, {{"loss": 5.0}})
        callbacks.on_test_end({{"loss": 5.0}})
        callbacks.on_epoch_end(epoch, {{"loss": 0.25, "accuracy": 1.0, "val_loss": 0.00003}})
    callbacks.on_train_end()
"""


def on_a_terminal(verbose, columns=200, encoding="utf-8"):
    """What a script that trains sends to a terminal."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT.format(verbose=verbose))]
    with subprocess.Popen(command, stdout=slave, stderr=slave, env=environment, cwd=ROOT) as process:
        os.close(slave)
        received = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # how Linux says that the other side is closed
                piece = b""
            if not piece:
                break
            received += piece
    os.close(master)
    assert process.returncode == 0, received.decode()
    return received.decode().replace("\r\n", "\n")


def shown(text):
    """The lines a terminal shows in the end, without colours."""
    text = re.sub(r"\033\[[0-9]*[mK]", "", text)
    return [line.rpartition("\r")[2] for line in text.removesuffix("\n").split("\n")]


@pytest.mark.parametrize("verbose", [1, "auto"])
def test_terminal_gets_a_bar(verbose):
    text = on_a_terminal(verbose)
    end = r"12/12 ━{20} 0s \d+ms/step - accuracy: 1\.0000 - loss: 0\.2500 - val_loss: 3\.0000e-05"
    first, bar, second, last = shown(text)
    assert (first, second) == ("Epoch 1/2", "Epoch 2/2")
    assert re.fullmatch(end, bar) and re.fullmatch(end, last)
    drawn = text.count("\r")
    assert 4 <= drawn <= 10, "2 epochs of a quarter of a second, at most 10 drawings a second, and two ends"
    assert "5.0000" not in text, "validation's batches are not shown"


def test_narrow_terminal_gets_lines_that_do_not_wrap():
    text = on_a_terminal(1, columns=50)
    plain = re.sub(r"\033\[[0-9]*[mK]", "", text)
    unfinished = [piece for line in plain.split("\n") for piece in line.split("\r")[1:-1]]
    assert unfinished and all(len(piece) < 50 for piece in unfinished)
    assert any(len(piece) == 49 for piece in unfinished)


def test_terminal_without_unicode():
    assert re.match(r"12/12 ={20} 0s", shown(on_a_terminal(1, encoding="ascii"))[1])


def fit(callbacks, epochs, steps, logs):
    callbacks.on_train_begin()
    for epoch in range(epochs):
        callbacks.on_epoch_begin(epoch)
        for step in range(steps):
            callbacks.on_train_batch_begin(step)
            callbacks.on_train_batch_end(step, logs)
        callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end(logs)


@pytest.mark.parametrize("verbose", [2, "auto"])
def test_elsewhere_one_line_for_an_epoch(verbose, capsys):
    callbacks = CallbackList(add_progbar=True, verbose=verbose, epochs=2, steps=5)
    fit(callbacks, 2, 5, {"val_loss": 2.0, "loss": 1.0, "accuracy": 0.5})
    line = r"5/5 - 0s - \d+us/step - accuracy: 0\.5000 - loss: 1\.0000 - val_loss: 2\.0000\n"
    assert re.fullmatch(f"Epoch 1/2\n{line}Epoch 2/2\n{line}", capsys.readouterr().out)


def test_silence(capsys):
    fit(CallbackList(add_progbar=True, verbose=0, epochs=2, steps=5), 2, 5, {"loss": 1.0})
    assert capsys.readouterr().out == ""


def test_other_ranks_are_silent(capsys, monkeypatch):
    class World:
        rank = 1

    monkeypatch.setattr(progress.communicator, "get", World)
    fit(CallbackList([ProgbarLogger()], verbose=2, epochs=2, steps=5), 2, 5, {"loss": 1.0})
    assert capsys.readouterr().out == ""


def test_one_epoch_needs_no_number_and_steps_may_be_unknown(capsys):
    callbacks = CallbackList(add_progbar=True, verbose=2, epochs=1, steps=None)
    fit(callbacks, 1, 7, {"loss": 1.0})
    fit(callbacks, 1, 7, {"loss": 1.0})
    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["7/7", "7/7"]


def test_unknown_number_of_steps_is_said_while_it_is_unknown(capsys):
    bar = Progbar(None, interval=0)
    bar.update(3, [("loss", 1.0)])
    assert re.match(r"\s*3/Unknown 0s \d+us/step - loss: 1.0000", shown(capsys.readouterr().out)[0])


def test_evaluate_and_predict(capsys):
    callbacks = CallbackList(add_progbar=True, verbose=2, steps=4)
    callbacks.on_test_begin()
    for step in range(4):
        callbacks.on_test_batch_end(step, {"loss": 9.0})
    callbacks.on_test_end({"loss": 3.0})
    assert re.fullmatch(r"4/4 - 0s - \d+us/step - loss: 3\.0000\n", capsys.readouterr().out)
    callbacks.on_predict_begin()
    for step in range(4):
        callbacks.on_predict_batch_end(step, {"outputs": object()})
    callbacks.on_predict_end()
    assert re.fullmatch(r"4/4 - 0s - \d+us/step\n", capsys.readouterr().out)


def test_logs_are_computed_only_when_drawn(capsys):
    computed = []

    def compute():
        computed.append(1)
        return {"loss": 1.0}

    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=10**6)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    started = time.perf_counter()
    for step in range(50_000):
        callbacks.on_train_batch_end(step, LazyLogs(compute))
    seconds = time.perf_counter() - started
    callbacks.on_epoch_end(0, {"loss": 1.0})
    assert 1 <= len(computed) <= 2 + 10 * seconds
    assert capsys.readouterr().out.count("\r") == len(computed) + 1


def test_time_for_a_step_counts_neither_the_first_step_nor_validation(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    callbacks = CallbackList(add_progbar=True, verbose=2, epochs=1, steps=5)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    for step in range(5):
        now[0] += 100.0 if step == 0 else 2.0  # the first step compiles
        callbacks.on_train_batch_end(step, {"loss": 1.0})
    callbacks.on_test_begin()
    now[0] += 50.0
    callbacks.on_test_end({"loss": 1.0})
    callbacks.on_epoch_end(0, {"loss": 1.0})
    assert capsys.readouterr().out == "5/5 - 2:38 - 2s/step - loss: 1.0000\n"


def test_time_to_go(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    bar = Progbar(2000)
    for step in (1, 2):
        now[0] += 3.0
        bar.update(step)
    assert "   2/2000 " in f"  {shown(capsys.readouterr().out)[-1]}"
    now[0] += 3.0
    bar.add(1)
    assert " 1:39:51 3s/step" in capsys.readouterr().out


@pytest.mark.parametrize("options, value", [({}, "3.0000"), ({"stateless_metrics": ["loss"]}, "2.0000")])
def test_values_are_shown_as_they_are_or_averaged(options, value, capsys):
    bar = Progbar(2, verbose=2, **options)
    bar.update(1, [("loss", 1.0)])
    bar.update(2, [("loss", 3.0)])
    assert capsys.readouterr().out.endswith(f"- loss: {value}\n")


@pytest.mark.parametrize(
    "value, text", [(0.0, "0.0000"), (1234.5, "1234.5000"), (-5e-5, "-5.0000e-05"), (float("nan"), "nan"), ("x", "x")]
)
def test_numbers(value, text, capsys):
    Progbar(1, verbose=2).update(1, [("v", value)])
    assert capsys.readouterr().out.endswith(f" - v: {text}\n")


def test_verbose_is_checked():
    with pytest.raises(ValueError, match="`verbose` must be 'auto', 0, 1 or 2. Received: verbose=3"):
        CallbackList(add_progbar=True, verbose=3)


def test_a_terminal_that_open_mpi_made_is_none(monkeypatch):
    monkeypatch.setattr(progress.sys, "stdout", Terminal())
    assert progress.interactive()
    for name, value in {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert not progress.interactive()


class Terminal:
    def isatty(self):
        return True


def test_long_work_shows_samples_per_second(monkeypatch, capsys):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    for seconds, shown in ((1.0, ""), (10.0, " - 32 samples/s"), (0.001, "")):
        logger = ProgbarLogger()
        logger.batch_size = 320
        logger.set_params({"verbose": 2, "epochs": 1, "steps": 3})
        logger.on_epoch_begin(0)
        for batch in range(3):
            clock[0] += seconds
            logger.on_train_batch_end(batch, {})
        logger.on_epoch_end(0, {})
        line = capsys.readouterr().out.rstrip("\n")
        assert line.endswith(f"/step{shown}"), line


RATES = [(3.14, "3.1"), (312.3, "312"), (16384, "16.4k"), (2.5e6, "2.5M"), (4e11, "400G")]


@pytest.mark.parametrize("value, text", RATES)
def test_rates(value, text):
    assert progress._rate(value) == text

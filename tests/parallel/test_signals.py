"""Signals are noted while training and nowhere else; what was there before is there again."""

import faulthandler
import os
import signal
import sys
import threading

import pytest

from dseq.parallel import signals


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_is_noted(number):
    before = signal.getsignal(number)
    with signals.noted():
        assert signals.asked == 0
        with signals.noted():  # training inside of a callback
            send(number)
        assert signals.asked == number
        signals.asked = 0
    assert signal.getsignal(number) is before and signals.asked == 0


def test_what_came_too_late_is_signalled_again():
    heard = []
    with pytest.raises(KeyboardInterrupt), signals.noted():
        send(signal.SIGINT)
        heard.append(signals.asked)
    assert heard == [signal.SIGINT]


def test_an_error_goes_first():
    with pytest.raises(ValueError), signals.noted():
        send(signal.SIGINT)
        raise ValueError
    assert signals.asked == 0


def test_a_second_interrupt_is_one():
    with pytest.raises(KeyboardInterrupt), signals.noted():
        send(signal.SIGINT)
        send(signal.SIGTERM)
        send(signal.SIGINT)
        send(signal.SIGINT)
        pytest.fail("not reached")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_script_stays():
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with signals.noted():
            send(signal.SIGUSR1)
            assert signals.asked == 0
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(sys.platform != "linux", reason="handlers in C are put back by the C library's sigaction")
def test_a_handler_in_c_is_put_back(tmp_path):
    with open(tmp_path / "stack", "w+") as file:
        faulthandler.register(signal.SIGUSR1, file)
        try:
            with signals.noted():
                send(signal.SIGUSR1)
                assert signals.asked == signal.SIGUSR1 and not (tmp_path / "stack").read_text()
                signals.asked = 0
            send(signal.SIGUSR1)
            assert "test_signals.py" in (tmp_path / "stack").read_text()
        finally:
            faulthandler.unregister(signal.SIGUSR1)


def test_other_threads_cannot():
    seen = []

    def run():
        with signals.noted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_exit_codes():
    codes = {(number, saved): signals.exit_code(number, saved) for number in signals.SIGNALS for saved in (True, False)}
    assert codes[signal.SIGTERM, True] == codes[signal.SIGUSR1, True] == 85
    assert codes[signal.SIGTERM, False] == 128 + signal.SIGTERM and codes[signal.SIGINT, True] == 130

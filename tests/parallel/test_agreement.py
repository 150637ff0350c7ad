"""How a difference between ranks is put into words."""

import pytest

from dseq.parallel.agreement import CALL, EXIT, LEFT, Record, explain, ranks_text


def call(section="fit", **facts):
    return Record(CALL, section, tuple(facts.items()))


def test_digests_compare_what_counts_only():
    assert call(a="1").digest() == call(a="1").digest()
    different = [call(a="1"), call(a="2"), call(b="1"), call("evaluate", a="1"), Record(LEFT, "fit"), Record(EXIT)]
    assert len({record.digest() for record in different}) == len(different)
    assert Record(LEFT, "fit", (), "ValueError: a").digest() == Record(LEFT, "fit", (), "b", fatal=True).digest()
    assert len(call().digest()) == 16


def test_the_first_difference_is_named_with_the_ranks():
    records = [call(x="(100, 5)", y="a"), *[call(x="(80, 5)", y="b")] * 3]
    message = explain(records)
    assert message.startswith("All ranks must call fit with the same model, data and arguments. Received: ")
    assert "x differs: rank 0: (100, 5); ranks 1-3: (80, 5)." in message
    assert " y " not in message


def test_facts_of_different_number_or_name():
    assert "2 facts" in explain([call(x="1", y="2"), call(x="1")])
    assert "rank 0: x; rank 1: z" in explain([call(x="1"), call(z="1")])


def test_other_methods():
    message = explain([call("fit"), call("evaluate"), call("fit")])
    assert "same methods" in message and "ranks 0, 2: in fit; rank 1: in evaluate" in message


@pytest.mark.parametrize(
    ("record", "words"),
    [(Record(EXIT), "program ended"), (Record(LEFT, "fit", (), "KeyError: 'a'"), "left fit by KeyError: 'a'")],
)
def test_a_rank_that_is_gone(record, words):
    message = explain([call("evaluate"), record, call("evaluate")])
    assert message.startswith("All ranks must take part in evaluate.")
    assert f"ranks 0, 2: in evaluate; rank 1: {words}." in message


def test_ranks_as_text():
    assert ranks_text([3]) == "rank 3"
    assert ranks_text([0, 1, 2, 5, 7, 8]) == "ranks 0-2, 5, 7-8"

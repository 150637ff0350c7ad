"""Tables of numbers in text files."""

import gzip

import numpy as np
import pytest

from dseq.data import csv

TEXT = "a,b, c ,label\n1,2.5,-3,0\n4,5,6e1,2\n7,8,9,1\n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "table.csv").write_text(TEXT)
    return tmp_path / "table.csv"


def test_columns_by_name_and_number(path):
    x, y = csv(path, y="label")
    np.testing.assert_array_equal(x, np.array([[1, 2.5, -3], [4, 5, 60], [7, 8, 9]], "float32"))
    assert x.dtype == np.float32 and y.dtype == np.int64 and y.tolist() == [0, 2, 1]
    x, y = csv(path, y=["b", -1], x=["c", 0], dtype="float64")
    assert x.tolist() == [[-3, 1], [60, 4], [9, 7]] and y.tolist() == [[2.5, 0], [5, 2], [8, 1]]
    assert x.dtype == y.dtype == np.float64
    assert csv(path).shape == (3, 4)
    assert csv(path, y="b", y_dtype="float16")[1].dtype == np.float16


def test_other_forms(tmp_path):
    plain = tmp_path / "plain.txt"
    plain.write_text("1;2\n3;\n")
    x = csv(plain, delimiter=";")
    np.testing.assert_array_equal(x, [[1, 2], [3, np.nan]])
    with gzip.open(tmp_path / "table.csv.gz", "wt") as file:
        file.write('"first","second"\n"1","2"\n')
    x, y = csv(tmp_path / "table.csv.gz", y="second")
    assert x.tolist() == [[1]] and y.tolist() == [2]
    (tmp_path / "one.csv").write_text("5\n")
    assert csv(tmp_path / "one.csv").tolist() == [[5]]
    assert csv(tmp_path / "plain.txt", delimiter=";", header=True).shape == (1, 2)


@pytest.mark.parametrize(
    "text, arguments, kind, message",
    [
        (TEXT, {"y": "lable"}, ValueError, "has no column 'lable'. Received: a table with columns.*'label'"),
        (TEXT, {"y": 4}, ValueError, "has no column 4. Received: a table with 4 columns"),
        ("1,2\n3,x\n", {}, ValueError, "must be a table of numbers with 2 columns. Received: .*'x'"),
        ("1,2\n3\n", {}, ValueError, "must be a table of numbers"),
        ("", {}, ValueError, "which is empty"),
        ("a,b\n", {}, ValueError, "at least one row"),
        (None, {}, FileNotFoundError, "There is no data file"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt:UserWarning")
def test_errors(text, arguments, kind, message, tmp_path):
    path = tmp_path / "table.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(kind, match=message):
        csv(path, **arguments)

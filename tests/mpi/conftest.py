"""Programs for several ranks, written where they are tested."""

import textwrap

import pytest


@pytest.fixture
def program(tmp_path):
    """Writes a script: `program(text)` gives its path."""

    def write(text):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write

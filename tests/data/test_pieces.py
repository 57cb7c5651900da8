"""Files that are read some rows at a time: the same rows as at once."""

import importlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.data import pieces, read
from slalom.errors import SlalomError

module = importlib.import_module("slalom.data.pieces")
few = settings(derandomize=True, deadline=None, database=None, max_examples=40)
rng = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "size": rng.normal(size=500).round(4),
        "town": rng.choice(["a,b", "two\nlines", 'a "quoted" one', "größe", "7"], 500),
        "rooms": [None if i % 7 == 0 else i for i in range(500)],
    }
)


@pytest.fixture
def small(monkeypatch):
    """Pieces of a few hundred bytes and rows."""
    monkeypatch.setattr(module, "BYTES", 400)
    monkeypatch.setattr(module, "ROWS", 64)


def together(path, **options):
    found = list(pieces(path, as_text=["town"], **options))
    assert len(found) > 3
    return pl.concat(found, how="vertical_relaxed")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_text(small, tmp_path, separator):
    """Quoted separators, quotes and line ends; with blank lines and a mark above the header."""
    path = tmp_path / "t.csv"
    FRAME.write_csv(path, separator=separator)
    assert together(path).equals(read(path, as_text=["town"]).frame)
    path.write_bytes(b"\xef\xbb\xbf\n \n" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert together(path).equals(read(path, as_text=["town"]).frame)


def test_other_files(small, tmp_path):
    """Parquet by rows; what is packed, in UTF-16 or small, at once."""
    FRAME.write_parquet(tmp_path / "t.parquet")
    assert together(tmp_path / "t.parquet").equals(FRAME)
    FRAME.write_ndjson(tmp_path / "t.jsonl")
    assert [len(piece) for piece in pieces(tmp_path / "t.jsonl")] == [500]
    (tmp_path / "wide.csv").write_bytes("\n".join(["a,b", *["1,2"] * 500]).encode("utf-16"))
    assert [len(piece) for piece in pieces(tmp_path / "wide.csv")] == [500]
    assert [len(piece) for piece in pieces(tmp_path / "wide.csv", encoding="UTF-16")] == [500]


def test_a_parquet_file_that_is_broken_further_down(small, tmp_path):
    """A large Parquet file whose later rows are damaged gives its first rows, then one sentence; one whose end was cut
    off gives the sentence at once."""
    file = tmp_path / "t.parquet"
    FRAME.write_parquet(file, row_group_size=100)
    data = bytearray(file.read_bytes())
    file.write_bytes(data[:-40])
    with pytest.raises(SlalomError, match=r"must be a Parquet file that can be read\. Got: .+\.$"):
        next(pieces(file))
    data[len(data) // 2 : -2000] = b"\xff" * (len(data) - 2000 - len(data) // 2)
    file.write_bytes(data)
    found = pieces(file, as_text=["town"])
    assert len(next(found)) == 64
    with pytest.raises(SlalomError, match=r"must be a Parquet file that can be read\. Got: .+\.$"):
        list(found)


def test_no_header(small, tmp_path):
    """Without a header every piece has the same names."""
    path = tmp_path / "t.csv"
    np.savetxt(path, rng.normal(size=(300, 3)), delimiter=",")
    found = pl.concat(list(pieces(path)))
    assert found.columns == ["0", "1", "2"]
    assert found.equals(read(path).frame)


def test_pieces_without_a_header_begin_with_anything(small, tmp_path):
    """A piece that begins with words and marks is no header; of one column, too."""
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["1,a,b", *["?,?,b"] * 200, *["?,a,b"] * 200]))
    found = pl.concat(list(pieces(path)), how="vertical_relaxed")
    assert found.shape == (401, 3)
    path.write_text("\n".join(map(str, np.arange(5, 400) * 2)))
    assert pl.concat(list(pieces(path)))["0"].to_list() == (np.arange(5, 400) * 2).tolist()


def test_a_dialect_that_is_given(small, tmp_path):
    """It is that of every piece."""
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(["größe|b", *["1,5|x"] * 300]).encode("cp1252"))
    found = pl.concat(list(pieces(path, separator="|", decimal=",", encoding="cp1252")))
    assert found.columns == ["größe", "b"]
    assert found["größe"].unique().to_list() == [1.5]


def test_lines_of_errors_are_those_of_the_file(small, tmp_path):
    """A short row is named by its line, whichever piece it is in; a quote that is never closed is found."""
    path = tmp_path / "t.csv"
    lines = ["a,b", *[f"{i},2" for i in range(400)]]
    lines[350] = "7"
    path.write_text("\n".join(lines))
    with pytest.raises(SlalomError, match="line 351,"):
        list(pieces(path))
    lines[350] = '"7,3'
    path.write_text("\n".join(lines))
    with pytest.raises(SlalomError, match="must close its quotes"):
        list(pieces(path))


@few
@given(
    rows=st.lists(
        st.tuples(st.integers(-9, 9), st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))), min_size=1
    ),
    size=st.integers(5, 60),
)
def test_whatever_the_pieces(tmp_path_factory, rows, size):
    """Every size of piece gives the same rows."""
    path = tmp_path_factory.mktemp("pieces") / "t.csv"
    pl.DataFrame(rows, schema=["n", "w"], orient="row").with_columns(w="x" + pl.col("w")).write_csv(
        path, quote_style="always"
    )
    before, module.BYTES = module.BYTES, size
    try:
        found = pl.concat(list(pieces(path, as_text=["w"])), how="vertical_relaxed")
    finally:
        module.BYTES = before
    assert found.equals(read(path, as_text=["w"]).frame)

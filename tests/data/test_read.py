"""Laws of reading files."""

import csv
import gzip
import importlib
import io
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.data import read
from slalom.errors import SlalomError

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and hand back its path."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path, **options):
    with pytest.raises(SlalomError) as caught:
        read(path, **options)
    return str(caught.value)


@pytest.mark.parametrize(("sign", "word"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_separators(write, sign, word):
    """Every separator is found out and said, and the cells are the same."""
    table = read(write("a,b,c\n1,x,2.5\n2,y,3.5\n".replace(",", sign)))
    assert table.frame.rows() == [(1, "x", 2.5), (2, "y", 3.5)]
    assert table.notes == (f"t.csv: 2 rows and 3 columns, separated by {word}.",)


@pytest.mark.parametrize("name", ["t.tsv", "t.txt", "T.CSV", "t.tsv.gz", "t.csv.gz"])
def test_names_of_files(write, name):
    """A text file, packed or not, is read whatever its ending's case."""
    data = b"a\tb\n1\t2\n"
    assert read(write(gzip.compress(data) if name.endswith("gz") else data, name)).frame.rows() == [(1, 2)]


def test_parquet(tmp_path):
    """A Parquet file gives the frame that was written, text that holds numbers settled."""
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None], "c": ["1", " "]})
    frame.write_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").frame.rows() == [(1, "x", 1), (2, None, None)]


def test_text_separator_inside_quotes(write):
    """Separators, doubled quotes and newlines inside quotes belong to the cell."""
    table = read(write('a,b\n"x, ""y""",1\n"two\nlines",\n'))
    assert table.frame.rows() == [('x, "y"', 1), ("two\nlines", None)]


def test_stray_quotes_are_letters(write):
    """A quote inside a cell without quotes is a letter."""
    assert read(write('a,b\n5" pipe,1\n6,2\n')).frame.rows() == [('5" pipe', 1), ("6", 2)]
    assert read(write('a,b\n5" pipe,1\n6,2\n7" pipe,3\n')).frame["a"].to_list() == ['5" pipe', "6", '7" pipe']
    assert read(write('a,b\n5" x 6",1\n6,\n')).frame.rows() == [('5" x 6"', 1), ("6", None)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_encodings(write, encoding):
    """A byte-order mark, UTF-16 and Windows Latin give the same table as plain UTF-8, and the last two are said."""
    text = "größe,b\n1,é\n2,ü\n"
    table, plain = read(write(text.encode(encoding))), read(write(text))
    assert table.frame.equals(plain.frame)
    assert ("UTF" in " ".join(table.notes)) == (encoding != "utf-8-sig")


def test_undefined_bytes_of_cp1252(write):
    """The five bytes that cp1252 leaves open are read as latin-1."""
    assert read(write(b"a,b\n1,\x81\n")).frame["b"][0] == "\x81"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(write, end):
    """All three line ends are the same, and blank lines at the end of the file do nothing."""
    for tail in ("", end, end * 3):
        assert read(write("a,b\n1,2\n3,4".replace("\n", end) + tail)).frame.rows() == [(1, 2), (3, 4)]


def test_blank_lines(write):
    """Blank lines above and among the rows are left out, and the latter are counted; a row of commas is a row."""
    table = read(write("\n  \na,b\n1,2\n\n3,4\n  \n,\n"))
    assert table.frame.rows() == [(1, 2), (3, 4), (None, None)]
    assert table.notes[1] == "2 blank lines left out."


def test_missing_marks_in_numbers(write):
    """Every usual mark, in any case and with blanks around it, is missing in a column of numbers."""
    marks = ["", " ", "NA", "N/A", "null", "NULL", "None", "nan", "NaN", "?", "-", " na ", "#N/A", "<NA>"]
    table = read(write("a,b\n" + "".join(f"{m},{k}\n" for k, m in enumerate(marks)) + "1.5,1\n"))
    assert table.frame["a"].to_list() == [None] * len(marks) + [1.5]
    assert 'Column "a": 13 cells such as " " count as missing.' in table.notes


def test_blanks_hidden_in_numbers(write):
    """One blank in a column of numbers leaves it a column of numbers (Telco's TotalCharges)."""
    table = read(write("id,total\n1,29.85\n2, \n3,108.15\n"))
    assert table.frame["total"].to_list() == [29.85, None, 108.15]
    assert table.notes[1] == 'Column "total": 1 cell such as " " counts as missing.'


def test_missing_marks_among_words(write):
    """Among words `-` and `None` are words (they may be an answer); blanks, NA and ? are missing."""
    table = read(write("a,b\n-,1\nNone,1\nNA,1\n?,1\n+,1\n  ,1\n"))
    assert table.frame["a"].to_list() == ["-", "None", None, None, "+", None]


def test_late_surprise(write):
    """A column of numbers whose first word comes after the rows that were looked at is a column of words."""
    rows = "".join(f"{k},{k}\n" for k in range(10_500))
    table = read(write(f"a,b\n{rows}x,1.5\n"))
    assert table.frame.dtypes == [pl.String, pl.Float64]
    assert table.frame["a"][-1] == "x"
    said = 'Column "a" is read as words, because 1 of its 10501 cells is no number, such as "x".'
    assert said in table.notes


def test_kinds(write):
    """Booleans and dates with the year first are what they are; other dates and 1_000 stay words."""
    table = read(write("a,b,c,d,e\nTrue,2024-05-01,2024-05-01T10:00:00Z,1/5/2024,1_0\nfalse,2024/05/02,,2/5/2024,2\n"))
    assert [str(t).split("(")[0] for t in table.frame.dtypes] == ["Boolean", "Datetime", "Datetime", "String", "String"]
    assert table.frame["a"].to_list() == [True, False]


def test_as_text(write):
    """A column that is named as text keeps its letters; a missing mark in it is still missing."""
    path = write("zip,n\n007,1\n,2\n")
    assert read(path).frame["zip"].to_list() == [7, None]
    table = read(path, as_text=["zip", "not there"])
    assert table.frame["zip"].to_list() == ["007", None]
    assert table.frame["n"].to_list() == [1, 2]
    assert read(write("007,1\n008,2\n"), as_text=["0"]).frame["0"].to_list() == ["007", "008"]


def test_decimal_comma(write):
    """In a file of semicolons 1,5 is 1.5, and that is said; 1,5 beside 1.5 stays words."""
    table = read(write("a;b;c\n1,5;1,5;x\n2;2.5;y\n"))
    assert table.frame["a"].to_list() == [1.5, 2.0]
    assert table.frame["b"].to_list() == ["1,5", "2.5"]
    assert 'Column "a": the comma is read as the decimal sign.' in table.notes
    assert read(write("1,5;2,5\n3,5;4,5\n")).frame.rows() == [(1.5, 2.5), (3.5, 4.5)]


def test_large_and_small_numbers(write):
    """Numbers beyond 64 bits and infinities arrive as floats (columns refuse the latter)."""
    table = read(write("a,b,c\n12345678901234567890123,1e400,inf\n1,1,1\n"))
    assert table.frame["a"].to_list() == [1.2345678901234568e22, 1.0]
    assert table.frame["b"].to_list() == table.frame["c"].to_list() == [np.inf, 1.0]


def test_no_header(write):
    """A first line of numbers is data, and the columns are named by their place."""
    table = read(write("5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n"))
    assert table.frame.columns == ["0", "1", "2"]
    assert table.frame.height == 2
    assert table.notes[1] == 'The first line holds numbers, so there is no header: columns are "0" to "2".'


@pytest.mark.parametrize("header", ["0,1,2", "1,2,3", ",0,1", "country,2019,2020"])
def test_names_that_are_numbers(write, header):
    """Numbers that count up from 0 or 1, or are years in a row, are names."""
    table = read(write(f"{header}\n5,3,4\n4,3,2\n"))
    assert table.frame.height == 2
    assert table.frame.columns[1:] == header.split(",")[1:]
    assert table.notes[1] == "The first line is taken for the header, because its numbers count up."


@pytest.mark.parametrize("first", ["0,0,5", "1,2,x", "2,1,0", "7", "0.5,1.5"])
def test_data_that_is_no_names(write, first):
    """Other numbers in the first line are data."""
    assert read(write(f"{first}\n{first}\n")).frame.height == 2


def test_blank_names(write):
    """A blank name becomes one after its place, never one that is taken, and a note says so."""
    table = read(write(",unnamed_0,  \n1,2,3\n"))
    assert table.frame.columns == ["unnamed_0_", "unnamed_0", "unnamed_2"]
    assert table.notes[1] == 'Column 1 has no name in the header: it is called "unnamed_0_".'


@pytest.mark.parametrize(
    "name", ["<script>", "=cmd", "a[0]{x}", "名前", "\u202eabc", "x" * 10_000, "two\nlines", "'q'"]
)
def test_odd_names(write, name):
    """Names are kept letter by letter."""
    assert read(write(f'"{name}",b\n1,2\n')).frame.columns == [name, "b"]


def test_wide_and_long_cells(write):
    """20,000 columns and a cell of 5 MB are read."""
    names = ",".join(f"c{k}" for k in range(20_000))
    assert read(write(f"{names}\n" + ",".join(["1"] * 20_000) + "\n")).frame.shape == (1, 20_000)
    assert read(write("a,b\n" + "x" * 5_000_000 + ",1\n")).frame["a"].str.len_chars()[0] == 5_000_000


def test_one_column(write):
    """A file without any separator is one column, in which a blank line is a missing cell."""
    table = read(write("a\n1\n\n3\n"))
    assert table.frame["a"].to_list() == [1, None, 3]
    assert table.notes[0] == "t.csv: 3 rows and 1 column."


def test_missing_file(tmp_path):
    """No file: one sentence that names the path."""
    path = tmp_path / "no.csv"
    assert refusal(path) == f"{path} must be a file. There is none at this path."
    assert refusal("a\0b.csv").endswith("b.csv must be a file. There is none at this path.")
    assert "aaa" in refusal("a" * 5_000 + ".csv")


def test_folder_and_device(tmp_path):
    """Folders and devices are refused before a byte is read."""
    assert refusal(tmp_path) == f"{tmp_path} must be a file. Got a folder."
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    assert refusal(tmp_path / "zero.csv") == f"{tmp_path}/zero.csv must be a file. Got a device or pipe."


@pytest.mark.parametrize("content", ["", "\n\n", "  \n\t\n", "\ufeff"])
def test_empty(write, content):
    """An empty file is called empty."""
    path = write(content)
    assert refusal(path) == f"{path} must hold a table. Got an empty file."


def test_header_only(write):
    """A header without rows is called that."""
    path = write("a,b\n")
    assert refusal(path) == f"{path} must hold a header and rows. Got a header only."


def test_unknown_ending(write):
    """What is no table is refused with the endings that are read."""
    path = write("x", "t.exe")
    assert refusal(path) == (
        f"{path} must be one of .csv, .tsv, .txt, .parquet, .feather, .arrow, .ipc, .jsonl, .ndjson, .xlsx, or one of"
        " these in a .gz or .zip. Got 't.exe'."
    )


@pytest.mark.parametrize("row", ["3", "3,4", "3,,", '"3",4'])
def test_short_rows(write, row):
    """A short row is refused with its line, never filled; blank lines above count as lines."""
    fields = row.count(",") + 1
    if fields == 3:
        assert read(write(f"a,b,c\n1,2,3\n{row}\n")).frame.rows()[1] == (3, None, None)
        return
    path = write(f"a,b,c\n1,2,3\n\n{row}\n5,6,7\n")
    assert refusal(path) == (
        f"{path}, line 4, must be 3 fields wide, like the header. Got {fields}. "
        "Complete the row, or quote cells that hold the separator."
    )


def test_short_rows_beside_quoted_separators(write):
    """A separator inside quotes does not stand in for one that a short row lacks."""
    assert "line 3, must be 3 fields wide" in refusal(write('a,b,c\n"x,y",1,2\n3,4\n'))


def test_line_numbers_without_header(write):
    """The line named is that of the file, also where a header was added or lines stand above."""
    assert "line 2," in refusal(write("1.5,2,3\n4.5,5\n7.5,8,9\n"))
    assert "line 4," in refusal(write("\n\na,b,c\n4.5,5\n7.5,8,9\n"))
    assert "line 5," in refusal(write('a,b,c\n"x\ny\nz",1,2\n4.5,5\n'))


@few
@given(rows=st.integers(2, 40), at=st.integers(0, 39), lost=st.integers(1, 3), quoted=st.booleans())
def test_short_rows_anywhere(tmp_path_factory, rows, at, lost, quoted):
    """Whatever row is short, by however many fields, quoted or not: its line is named."""
    at = at % rows
    cell = '"a,b"' if quoted else "7"
    lines = [",".join([cell] * (4 - lost if k == at else 4)) for k in range(rows)]
    path = tmp_path_factory.mktemp("short") / "t.csv"
    path.write_text("\n".join(["w,x,y,z", *lines]))
    assert f"line {at + 2}," in refusal(path)


def test_long_rows(write):
    """A long row is refused with its line; rows that are all one longer get the hint on row names."""
    path = write("a,b\n1,2\n3,4,5,6\n")
    assert refusal(path).startswith(f"{path}, line 3, must be 2 fields wide, like the header. Got 4.")
    path = write("a,b\nr1,1,2\nr2,3,4\n")
    assert refusal(path) == (
        f"{path}, line 2, must be 2 fields wide, like the header. Got 3. "
        "Quote cells that hold the separator, or name the first column if it holds row names."
    )


@pytest.mark.parametrize("rows", ['1,2\n3,"x\n5,6\n', '1,"2\n3,x\n4,"y"\n', '1,2\n"3"x,4\n'])
def test_unclosed_quotes(write, rows):
    """A quote that is never closed, or text behind a closed one, is refused with its line."""
    path = write(f"a,b\n{rows}")
    line = 2 if rows.startswith('1,"2') else 3
    assert refusal(path) == (
        f"{path}, line {line}, must close its quotes. Got a quote that is not closed, or text behind one. "
        "Write a quote inside a quoted cell twice."
    )


def test_duplicate_names(write):
    """Names that stand twice are refused by name, never renamed."""
    path = write("a,b,a,c,b\n1,2,3,4,5\n")
    assert refusal(path) == (
        f'{path} must name every column differently. Got "a", "b" more than once. '
        "Rename them, or put a line of names above the rows if there is none."
    )


def test_nul_bytes(write):
    """A NUL byte is refused with its line."""
    path = write(b"a,b\n1,x\n2,\0\n")
    assert refusal(path) == f"{path} must be text. Got a NUL byte on line 3. Save it as UTF-8 text."


def test_broken_utf16(write):
    """A mark of UTF-16 on something else is refused."""
    assert "must be text. Its mark says UTF-16" in refusal(write(b"\xff\xfea\x00b"))


def test_broken_archives(write):
    """Cut or foreign .gz and .parquet files are refused with the reason."""
    assert "must be a file that can be read" in refusal(write(gzip.compress(b"a,b\n1,2\n" * 99)[:-9], "t.csv.gz"))
    assert "must be a file that can be read" in refusal(write(b"plain", "t.csv.gz"))
    assert "must be a Parquet file that can be read" in refusal(write(b"PAR1xxxx", "t.parquet"))


def test_unpacking_is_bounded(write, monkeypatch):
    """A small archive that unpacks to more than the limit is refused, not unpacked."""
    monkeypatch.setattr(importlib.import_module("slalom.data.packed"), "LIMIT", 2**20)
    assert "must unpack to at most" in refusal(write(gzip.compress(b"0" * 2**21), "t.csv.gz"))


def test_workbooks_are_bounded(write, monkeypatch):
    """An Excel file is a zip: one that says of itself that it unpacks to more than the limit is refused, not read."""
    pytest.importorskip("fastexcel")
    monkeypatch.setattr(importlib.import_module("slalom.data.read"), "LIMIT", 2**20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", b"0" * 2**21)
    assert len(packed.getvalue()) < 2**13
    assert "must unpack to at most" in refusal(write(packed.getvalue(), "t.xlsx"))


def test_a_zip_that_would_write_elsewhere(tmp_path):
    """A name that leads out of the folder is the name of the table, and nothing is written by it."""
    (tmp_path / "inside").mkdir()
    with zipfile.ZipFile(tmp_path / "inside" / "t.zip", "w") as archive:
        archive.writestr("../b.csv", "a,b\n1,2\n")
    before = sorted(tmp_path.rglob("*"))
    assert read(tmp_path / "inside" / "t.zip").frame.rows() == [(1, 2)]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_damaged_tables_are_refused_or_read(tmp_path, ending):
    """A Parquet or Feather file that was cut anywhere, or in which a byte was changed anywhere, is one sentence, or a
    table where the change is of a cell: never another error."""
    frame = pl.DataFrame({"a": range(300), "b": [f"word {i % 7}" for i in range(300)], "c": [0.5, None, 2.0] * 100})
    file = tmp_path / f"t.{ending}"
    frame.write_parquet(file) if ending == "parquet" else frame.write_ipc(file)
    data, draw = file.read_bytes(), np.random.default_rng(0)
    cuts = [data[:size] for size in draw.integers(0, len(data) - 1, 40)]
    flips = [bytearray(data) for _ in range(160)]
    for flipped, place in zip(flips, draw.permutation(len(data))[:160], strict=True):
        flipped[place] ^= 1 << int(draw.integers(8))
    said = []
    for broken in (*cuts, *map(bytes, flips)):
        file.write_bytes(broken)
        try:
            read(file)
        except SlalomError as error:
            said.append(str(error))
    assert len(said) >= 40  # all that were cut
    assert all(one.startswith(str(file)) and len(one.splitlines()) == 1 for one in said)


def test_empty_parquet(tmp_path):
    """A Parquet file without rows is refused."""
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "t.parquet")
    assert refusal(tmp_path / "t.parquet").endswith("must hold at least one row and one column. Got 0 x 1.")


@few
@given(columns=st.integers(2, 4), data=st.data(), separator=st.sampled_from(",;\t|"))
def test_what_csv_wrote_is_read(tmp_path_factory, columns, data, separator):
    """Whatever the csv module writes, with quotes around all text, comes back with its shape and its text."""
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=8).map(
        lambda s: "w" + s
    )
    rows = data.draw(st.lists(st.tuples(*[text] * columns), min_size=1, max_size=20))
    path = tmp_path_factory.mktemp("round") / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([f"n{k}" for k in range(columns)])
        writer.writerows(rows)
    assert read(path).frame.rows() == rows


FRAME = pl.DataFrame({"a": [1, 2, None], "b": [0.5, None, 2.0], "c": ["x", "y,z", None], "d": [True, False, None]})


@pytest.mark.parametrize(
    ("name", "write_to"),
    [
        ("t.parquet", pl.DataFrame.write_parquet),
        ("t.feather", pl.DataFrame.write_ipc),
        ("t.arrow", pl.DataFrame.write_ipc),
        ("t.jsonl", pl.DataFrame.write_ndjson),
        ("t.ndjson", pl.DataFrame.write_ndjson),
    ],
)
def test_files_that_know_their_columns(tmp_path, name, write_to):
    """What polars wrote comes back, also packed."""
    write_to(FRAME, tmp_path / name)
    table = read(tmp_path / name)
    assert table.frame.equals(FRAME)
    assert table.notes[0] == f"{name}: 3 rows and 4 columns."
    data = (tmp_path / name).read_bytes()
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr(f"folder/{name}", data)
        archive.writestr("__MACOSX/._t", b"")
    for packed in (f"{name}.gz", "t.zip"):
        assert read(tmp_path / packed).frame.equals(FRAME)


def test_archives_of_several_files(tmp_path):
    """A .zip holds one file; others are listed, and so is what has no table."""
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
        archive.writestr("../b.csv", "a,b\n1,2\n")
    assert refusal(tmp_path / "t.zip").endswith("must hold one file. Got 2: a.csv, ../b.csv.")
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.exe", b"MZ")
    assert "Got 'a.exe in t.zip'" in refusal(tmp_path / "t.zip")
    with zipfile.ZipFile(tmp_path / "t.zip", "w"):
        pass
    assert refusal(tmp_path / "t.zip").endswith("must hold one file. Got 0.")
    (tmp_path / "t.zip").write_bytes(b"PK\3\4 no archive")
    assert "must be a file that can be read" in refusal(tmp_path / "t.zip")


@pytest.mark.parametrize("name", ["t.jsonl", "t.feather", "t.arrow"])
def test_broken_files(tmp_path, name):
    """What is no such file is refused with the reason."""
    (tmp_path / name).write_bytes(b'{"a": 1}\n{"a": ')
    assert "file that can be read" in refusal(tmp_path / name)


def test_a_dialect_that_is_given(write):
    """Separator, decimal sign and encoding are taken as they are given, where they would be found out otherwise."""
    path = write("a;b\n1.000,5;2\n".encode("cp1252"))
    assert read(path).frame.rows() == [("1.000,5", 2)]
    path = write("size|name\n1,5|gr\xf6\xdfe, ab\n".encode("latin-1"))
    table = read(path, separator="|", decimal=",", encoding="latin-1")
    assert table.frame.rows() == [(1.5, "größe, ab")]
    assert read(write("a,b\n1,2\n"), separator=";").frame.columns == ["a,b"]
    assert read(write("a\tb\n1,5\t2\n"), decimal=".").frame.rows() == [("1,5", 2)]
    german = write("a;b\n1.234;2\n2.500,5;3\n")
    assert read(german, decimal=",").frame["a"].to_list() == ["1.234", "2.500,5"]
    assert read(write("a;b\n1.234;2\n")).frame["a"].to_list() == [1.234]
    assert read(write("a;b\n1.234;2\n"), decimal=",").frame["a"].to_list() == ["1.234"]  # not 1.234


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"separator": ";;"}, "separator must be one sign"),
        ({"separator": '"'}, "separator must be one sign"),
        ({"decimal": "'"}, "decimal must be a point or a comma"),
        ({"decimal": ",", "separator": ","}, "separator and decimal must differ"),
        ({"encoding": "latin-77"}, "encoding must be one that Python knows"),
        ({"encoding": "ascii"}, "must be text in ascii. Byte 4 is not."),
        ({"encoding": "zlib"}, "encoding must be one that Python knows"),
        ({"encoding": "punycode"}, "must be text in punycode"),
        ({"separator": 5}, "separator must be text"),
    ],
)
def test_dialects_that_cannot_be(write, options, said):
    """What is no separator, sign or encoding is refused."""
    assert said in refusal(write("a,b\n\xf6,2\n"), **options)


SHEET = "http://schemas.openxmlformats.org"
WORKBOOK = {
    "[Content_Types].xml": f'''<Types xmlns="{SHEET}/package/2006/content-types">
        <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
        <Override PartName="/xl/workbook.xml"
          ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
        <Override PartName="/xl/worksheets/sheet1.xml"
          ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>''',
    "_rels/.rels": f'''<Relationships xmlns="{SHEET}/package/2006/relationships"><Relationship Id="rId1"
        Type="{SHEET}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>''',
    "xl/workbook.xml": f'''<workbook xmlns="{SHEET}/spreadsheetml/2006/main"
        xmlns:r="{SHEET}/officeDocument/2006/relationships"><sheets>
        <sheet name="rows" sheetId="1" r:id="rId1"/></sheets></workbook>''',
    "xl/_rels/workbook.xml.rels": f'''<Relationships xmlns="{SHEET}/package/2006/relationships"><Relationship Id="rId1"
        Type="{SHEET}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>''',
}


def workbook(path, rows):
    """A workbook of one sheet with these rows of text and numbers."""
    cells = [
        [f'<c t="inlineStr"><is><t>{c}</t></is></c>' if isinstance(c, str) else f"<c><v>{c}</v></c>" for c in row]
        for row in rows
    ]
    data = "".join(f"<row>{''.join(row)}</row>" for row in cells)
    sheet = f'<worksheet xmlns="{SHEET}/spreadsheetml/2006/main"><sheetData>{data}</sheetData></worksheet>'
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (WORKBOOK | {"xl/worksheets/sheet1.xml": sheet}).items():
            archive.writestr(name, text)
    return path


def test_excel(tmp_path, monkeypatch):
    """The first sheet of a workbook; without the reader the sentence says what to install; a broken one is refused."""
    path = workbook(tmp_path / "t.xlsx", [["size", "town"], [1.5, "north"], [2, "south"]])
    assert read(path).frame.rows() == [(1.5, "north"), (2.0, "south")]
    late = workbook(tmp_path / "late.xlsx", [["n", "m"], *[[i, i] for i in range(1_500)], ["oops", 1]])
    assert read(late).frame["n"][-1] == "oops"
    twice = workbook(tmp_path / "twice.xlsx", [["a", "a", "b"], [1, 2, 3]])
    assert 'Got "a" more than once' in refusal(twice)
    plain = workbook(tmp_path / "plain.xlsx", [[1.5, 2], [3, 4]])
    assert read(plain).frame.columns == ["0", "1"]
    (tmp_path / "broken.xlsx").write_bytes(b"PK")
    assert "must be an Excel file that can be read" in refusal(tmp_path / "broken.xlsx")
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    assert "pip install 'slalom[excel]'" in refusal(path)


@pytest.mark.parametrize("ending", ["parquet", "feather", "jsonl", "csv"])
def test_names_are_no_patterns(tmp_path, ending):
    """A file whose name holds brackets and stars is that file, and a pattern of names is none."""
    write_to = {"parquet": "write_parquet", "feather": "write_ipc", "jsonl": "write_ndjson", "csv": "write_csv"}[ending]
    for name in ("data[1]", "p1", "p2", "q*"):
        getattr(FRAME, write_to)(tmp_path / f"{name}.{ending}")
    assert len(read(tmp_path / f"data[1].{ending}").frame) == 3
    assert len(read(tmp_path / f"q*.{ending}").frame) == 3
    assert "There is none at this path" in refusal(tmp_path / f"p*.{ending}")

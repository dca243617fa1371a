"""Rosters as spreadsheets and campus systems write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courses.roster import MAX_BYTES, MAX_ROWS, Student, read_roster
from olimpus.errors import Invalid, TooLarge
from olimpus.sheets import MAX_CELL, MAX_COLUMNS

SPANISH = "Código;Apellidos y Nombres;Correo;Horario\n2020;Ñahui Peña, José Á.;jose@uni.edu;0831\n"


def faults_of(text: str | bytes) -> list[dict]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(Invalid) as caught:
        read_roster(data)
    assert caught.value.where.startswith("roster.csv")
    return caught.value.errors or [{"where": caught.value.where, "message": caught.value.message}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding):
    (student,) = read_roster(SPANISH.encode(encoding))
    assert student == Student("2020", "José Á.", "Ñahui Peña", "jose@uni.edu", "0831", {}, 2)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(separator, end):
    text = end.join(separator.join(row) for row in (["usuario", "nombres", "apellidos"], ["ana", "Ana", "Díaz"])) + end
    (student,) = read_roster(text.encode())
    assert (student.username, student.first_name, student.last_name) == ("ana", "Ana", "Díaz")


@pytest.mark.parametrize(
    ("header", "username"),
    [
        ("Usuario", "a"),
        ("CÓDIGO", "a"),
        ("código del alumno", "a"),
        ("Student ID", "a"),
        ("student_id", "a"),
        ("e-mail,Username", "x@uni.edu"),
    ],
)
def test_header_names(header, username):
    text = f"{header}\n" + ("x@uni.edu,a" if "," in header else "a")
    assert read_roster(text.encode())[0].username == "a"
    assert read_roster(text.encode())[0].email == ("x@uni.edu" if username != "a" else "")


def test_the_more_telling_column_wins_and_others_are_kept():
    (student,) = read_roster("código,usuario,Nota Final\n2020,ana,18\n".encode())
    assert student.username == "ana"
    assert student.extra == {"codigo": "2020", "nota final": "18"}
    assert student.fields["codigo"] == "2020"


def test_excel_separator_line_keeps_line_numbers():
    students = read_roster(b"sep=;\r\nusuario;nombres\r\nana;Ana\r\n")
    assert [(s.username, s.line) for s in students] == [("ana", 3)]


def test_quoted_cells_with_newlines_and_separators():
    students = read_roster(b'username,name\nana,"D\xc3\xadaz\nSoto, Ana"\nleo,Leo\n')
    assert (students[0].first_name, students[0].last_name) == ("Ana", "Díaz Soto")
    assert students[1].line == 4


def test_names_of_many_languages():
    names = ["王小明", "محمد", "Ñusta Quispe", "O'Brien", "Nguyễn Thị", "ไพลิน"]
    text = "username,first name\n" + "".join(f"u{i},{name}\n" for i, name in enumerate(names))
    assert [s.first_name for s in read_roster(text.encode())] == names


def test_decomposed_accents_are_composed():
    (student,) = read_roster("usuario\npen\u0303a\n".encode())
    assert student.username == "peña"


def test_empty_lines_at_the_end_are_fine():
    assert len(read_roster(b"usuario,nombres\nana,Ana\n\n,,\n   \n")) == 1


def test_an_empty_row_in_between_is_refused_with_its_line():
    (fault,) = faults_of("usuario,nombres\nana,Ana\n,\nleo,Leo\n")
    assert fault["where"] == "roster.csv:3"


def test_a_row_without_user_name_is_refused_with_its_line():
    (fault,) = faults_of("usuario,nombres\n,Ana\n")
    assert fault["where"] == "roster.csv:2: username"


def test_duplicates_name_both_lines():
    first, second = faults_of("usuario,correo\nana,A@uni.edu\nleo,a@UNI.edu\nANA,\n")
    assert first["where"] == "roster.csv:3: email"
    assert "line 2" in first["message"]
    assert second["where"] == "roster.csv:4: username"
    assert "line 2" in second["message"]


def test_all_faults_at_once_but_at_most_fifty():
    assert len(faults_of("usuario,correo\n" + "".join(f"bad/{i},x{i}\n" for i in range(9)))) == 18
    assert len(faults_of("usuario\n" + "a b:c\n" * 200)) == 50


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "usuario\n",
        "nombre,correo\nana,a@b.pe\n",
        "usuario,usuario\na,b\n",
        "usuario,,nombres,Nombres\na,b,c,d\n",
        'usuario\n"ana\n',
        "usuario\nana\x00\n",
        "usuario\nana\x07\n",
        "usuario\n..\n",
        "usuario\ncommon\n",
        "usuario\na/b\n",
        "usuario,correo\nana,no-address\n",
        "usuario,nombres\nQuispe, José,x\n",
        f"usuario,nombres\nana,{'x' * (MAX_CELL + 1)}\n",
        f"usuario,nombres\nana,{'x' * 200}\n",
        ",".join(f"c{i}" for i in range(MAX_COLUMNS)) + ",usuario\n",
        "usuario\n" + "a" * 140 + "\n",
    ],
)
def test_refused(text):
    assert faults_of(text)


def test_missing_column_says_what_is_needed():
    with pytest.raises(Invalid) as caught:
        read_roster(b"nombre,correo\nana,a@b.pe\n")
    assert caught.value.where == "roster.csv:1"
    assert "student id" in caught.value.hint


def test_bounds():
    with pytest.raises(TooLarge):
        read_roster(b"x" * (MAX_BYTES + 1))
    with pytest.raises(TooLarge):
        read_roster(b"usuario\n" + b"\n".join(b"u%d" % i for i in range(MAX_ROWS + 2)))
    assert len(read_roster(b"usuario\n" + b"\n".join(b"u%d" % i for i in range(MAX_ROWS)))) == MAX_ROWS


def only_invalid(data: bytes) -> None:
    students, where = [], ""
    try:
        students = read_roster(data)
    except Invalid as error:
        where = error.where
    assert students or where
    assert len({student.username.casefold() for student in students}) == len(students)


@given(st.binary(max_size=300))
def test_any_bytes_give_students_or_invalid(data):
    only_invalid(data)


@given(
    st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_table_gives_students_or_invalid(rows, separator, encoding):
    text = "\n".join(separator.join(row) for row in [["usuario", "nombres"], *rows])
    only_invalid(text.encode(encoding, "surrogatepass") if encoding != "utf-16" else text.encode(encoding, "ignore"))


@given(st.text(max_size=40))
def test_any_separator_line_is_harmless(text):
    only_invalid(f"sep={text}\nusuario;nombres\nana;Ana\n".encode("utf-8", "ignore"))

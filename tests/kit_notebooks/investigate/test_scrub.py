"""Secrets: out of every text, however they are spelled there."""

from __future__ import annotations

import html
from pathlib import Path
from urllib.parse import quote

import pytest
from nbformat.v4 import new_output

from kit.notebooks.investigate.scrub import ERROR_AT_MOST, LINES_AT_MOST, Secrets
from tests.kit_notebooks.investigate.samples import cell, notebook

WORD = "a<b&c/d'e f"
ENVIRON = {
    "KIT_TEST_URL": f"postgresql://testuser:{quote(WORD, safe='')}@127.0.0.1:5432/testdb",
    "CI_JOB_TOKEN": "glpat-0123456789",
    "HOME": "/home/somebody",
    "PASSWORD_FILE_COUNT": "3",
}
SECRETS = Secrets.of(ENVIRON)


@pytest.mark.parametrize("spelled", [WORD, quote(WORD), quote(WORD, safe=""), html.escape(WORD), repr(WORD)[1:-1]])
def test_every_spelling_of_a_password_is_taken_out(spelled: str) -> None:
    """A password is found plain, in a URL, in HTML and in a repr."""
    assert SECRETS.within(f"<{spelled}>")
    assert SECRETS.out_of(f"x {spelled} y") == "x *** y"


def test_variables_named_like_secrets_count() -> None:
    """The value of a variable named like a token is a secret; a short one, and a path, are not."""
    assert SECRETS.out_of("glpat-0123456789 /home/somebody 3") == "*** /home/somebody 3"


def test_a_short_password_is_taken_out_of_urls_only() -> None:
    """A password that may be an ordinary word leaves prose as it is, and no URL shows it."""
    secrets = Secrets.of({"URL": "postgresql://postgres:postgres@localhost/x"})
    assert secrets.out_of("postgres is at postgresql://postgres:postgres@localhost/x") == (
        "postgres is at postgresql://postgres:***@localhost/x"
    )


def test_a_password_that_nobody_named_is_taken_out_of_a_url() -> None:
    """A URL with a password of another server loses it too."""
    assert Secrets().out_of("see https://me:hunter22@example.org/a") == "see https://me:***@example.org/a"


def test_what_a_notebook_spells_out_goes_from_all_that_it_prints() -> None:
    """A literal under the name of a secret is known wherever it turns up, and the cell is still Python."""
    source = "DB_PASS = 'Plain-Value7'\nconnect('host=h password=Other-Value8', {'token': 'Third-Value9'})"
    nb = notebook([source, "1"])
    nb.cells[1].outputs = [new_output("stream", text="Plain-Value7, Other-Value8, Third-Value9")]
    secrets = Secrets.of(nb=nb)
    assert secrets.out_of_notebook(nb) == [1]
    assert nb.cells[1].outputs[0].text == "***, ***, ***"
    assert nb.cells[0].source == "DB_PASS = '***'\nconnect('host=h password=***', {'token': '***'})"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("run(['htpasswd', '-nbB', 'u', 'Plain-Value7'])", "run(['htpasswd', '-nbB', 'u', '***'])"),
        ("run(['htpasswd', '-b', file, 'u', 'Plain-Value7'])", "run(['htpasswd', '-b', file, 'u', '***'])"),
        ("run('htpasswd -nbB u Plain-Value7', shell=True)", "run('htpasswd -nbB u ***', shell=True)"),
        ("!htpasswd -nbB u Plain-Value7 | head -1", "!htpasswd -nbB u *** | head -1"),
    ],
)
def test_the_password_of_a_command_goes_from_the_source_and_all_that_is_printed(source: str, shown: str) -> None:
    """The command is a line of a shell, a text or a list; its password is known where it stands alone, too."""
    nb = notebook([source, "1"])
    nb.cells[1].outputs = [new_output("stream", text="u has Plain-Value7")]
    assert Secrets.of(nb=nb).out_of_notebook(nb) == [1]
    assert nb.cells[1].outputs[0].text == "u has ***"
    assert nb.cells[0].source == shown


def test_a_file_of_variables_beside_the_notebook_tells_what_is_secret(tmp_path: Path) -> None:
    """What a .env file in the notebook's folder holds is taken out, though no variable of the process has it."""
    (tmp_path / ".env").write_text("DB_PASS=Plain-Value7\n")
    assert Secrets.of(folders=(tmp_path,)).out_of("it is Plain-Value7") == "it is ***"


def test_an_error_without_end_is_cut_with_a_word_about_it() -> None:
    """Neither the text nor the traceback of an error fills the notebook, and no half of a secret stays at the cut."""
    nb = notebook(["1"])
    text = "x" * (ERROR_AT_MOST - 3) + "glpat-0123456789" + "x" * 20_000_000
    nb.cells[0].outputs = [new_output("error", ename="E", evalue=text, traceback=[text] * 1000)]
    SECRETS.out_of_notebook(nb)
    error = nb.cells[0].outputs[0]
    assert error.evalue.endswith("characters left out)")
    assert "glp" not in error.evalue
    assert len(error.evalue) < 1.1 * ERROR_AT_MOST
    assert len(error.traceback) <= LINES_AT_MOST


def test_secrets_are_not_shown_by_their_own_repr() -> None:
    """The object that holds the secrets does not print them."""
    assert "glpat" not in repr(SECRETS)


def test_a_notebook_is_scrubbed_in_every_part() -> None:
    """Source, metadata, parameters, streams, rich outputs and tracebacks lose it; pictures are left alone."""
    token = "glpat-0123456789"
    injected = cell(f"password = 'x1'\nurl = '{token}'", "injected", "injected-parameters")
    nb = notebook([f"print('{token}')", "1", injected])
    nb.metadata["papermill"] = {"parameters": {"my_password": "x1", "url": token, "n": 1}}
    nb.cells[0].outputs = [
        new_output("stream", text=f"a {token}"),
        new_output("display_data", data={"application/json": {"k": [token]}, "image/png": token, "text/html": token}),
        new_output("error", ename="E", evalue=token, traceback=[token]),
    ]
    assert SECRETS.out_of_notebook(nb) == [0]
    picture = nb.cells[0].outputs[1].data.pop("image/png")
    assert picture == token
    assert not SECRETS.within(str(nb))
    assert nb.metadata.papermill.parameters == {"my_password": "***", "url": "***", "n": 1}
    assert "x1" not in nb.cells[2].source


def test_a_notebook_without_secrets_is_left_as_it_is() -> None:
    """Nothing is changed where there is nothing to hide."""
    nb = notebook(["password: str = get_password()", "1"])
    nb.cells[1].outputs = [new_output("stream", text="password authentication failed for user 'x'\n")]
    before = str(nb)
    assert SECRETS.out_of_notebook(nb) == []
    assert str(nb) == before

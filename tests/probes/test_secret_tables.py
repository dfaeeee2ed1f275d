"""Columns of secrets in tables of plain text: hidden below their head, whatever draws the table; others stay."""

from __future__ import annotations

import html
import io
import json
import re

import pandas as pd
import pytest
from rich import box
from rich.console import Console
from rich.table import Table

from kit.probes.redact import redact
from tests.spellings import SPELLINGS, with_secret

FIRST, SECOND = "Zq7-xW9", "Kb4-uT2"
SECRETS = [(FIRST, SECOND), ("correct", "horse"), ("a horse staple", "xyz")]
KEPT = ("alice", "robert", "41")
FRAME = pd.DataFrame({"user": ["alice", "robert"], "password": ["{A}", "{B}"], "age": [3, 41]})


def _of_pandas(first: str, second: str) -> dict[str, str]:
    frame = FRAME.assign(password=[first, second])
    alone = frame[["password"]]
    return {
        "to_string": frame.to_string(), "no index": frame.to_string(index=False),
        "left": frame.to_string(justify="left"),
        "first": frame[["password", "user"]].to_string(), "alone": f"it is\n\n{alone!r}\n\nand more",
        "a named index": repr(frame.set_index("user")), "two indexes": repr(frame.set_index(["user", "age"])),
        "as the index": repr(frame.set_index("password")), "counted": str(frame["password"].value_counts()),
        "a row": repr(frame.iloc[0]), "a series": repr(frame["password"]), "turned": frame.T.to_string(),
        "csv": frame.to_csv(), "quoted csv": frame.to_csv(quoting=1), "tsv": frame.to_csv(sep="\t", index=False),
        "semicolons": frame.to_csv(sep=";"), "crlf": frame.to_csv().replace("\n", "\r\n"),
        "after a word": f"users: {frame.to_string()}", "of a log": f"INFO:root:{frame.to_string()}",
        "wide": frame.assign(**{"y" * 40: "z" * 50})[["user", "age", "y" * 40, "password"]].to_string(line_width=70),
        "split": frame.to_json(orient="split"), "a dict of lists": str(frame.to_dict("split")),
    }  # fmt: skip


def _of_rich(first: str, second: str) -> dict[str, str]:
    found = {}
    for name in ("HEAVY_HEAD", "ASCII", "SIMPLE", "MARKDOWN", "MINIMAL", "ROUNDED", "DOUBLE", "HORIZONTALS"):
        for options in ({}, {"show_lines": True}, {"colours": True}):
            table = Table(title="Users", box=getattr(box, name), show_lines="show_lines" in options)
            for column in ("user", "password", "age"):
                table.add_column(column)
            table.add_row("alice", first, "3")
            table.add_row("robert", second, "41")
            shown = io.StringIO()
            Console(file=shown, width=60, force_terminal="colours" in options, legacy_windows=False).print(table)
            found[f"{name} {[*options]}"] = shown.getvalue()
    return found


TEXTS = {
    "psql": (
        " id | username |   password   | age \n----+----------+--------------+-----\n"
        "  1 | alice    | {A:14} |   3\n  2 | robert   | {B:14} |  41\n(2 rows)\n"
    ),
    "psql, unaligned": "id|username|password|age\n1|alice|{A}|3\n2|robert|{B}|41\n(2 rows)\n",
    "psql, expanded": (
        "-[ RECORD 1 ]-----\nusername | alice\npassword | {A}\nage      | 3\n-[ RECORD 2 ]-----\n"
        "username | robert\npassword | {B}\nage      | 41\n"
    ),
    "psql, expanded and unaligned": "username|alice\npassword|{A}\nage|3\n\nusername|robert\npassword|{B}\nage|41\n",
    "psql, one column": "   password   \n--------------\n {A}\n {B}\n(2 rows)\n",
    "psql, border 0": (
        "username    password    age\n-------- -------------- ---\nalice    {A:14}   3\nrobert   {B:14}  41\n"
    ),
    "MySQL": (
        "+--------+--------------+\n| user   | password     |\n+--------+--------------+\n"
        "| alice  | {A:14} |\n| robert | {B:14} |\n+--------+--------------+\n2 rows in set (0.00 sec)\n"
    ),
    "Markdown": "| user | **Password** | n |\n|---|:-:|--|\n| alice | {A} | 3 |\n| robert | `{B}` | 41 |\n",
    "Markdown without a frame": "user | password | n\n--- | --- | ---\nalice | {A} | 3\nrobert | {B} | 41\n",
    "org": "| user | password |\n|------+----------|\n| alice | {A} |\n| robert | {B} |\n",
    "reST": (
        "======  ==============\nuser    password\n======  ==============\nalice   {A}\nrobert  {B}\n"
        "======  ==============\n"
    ),
    "reST, a grid": (
        "+--------+--------------+\n| user   | password     |\n+========+==============+\n"
        "| alice  | {A:14} |\n+--------+--------------+\n| robert | {B:14} |\n+--------+--------------+\n"
    ),
    "polars": (
        "┌────────┬──────────────┐\n│ user   ┆ password     │\n│ ---    ┆ ---          │\n"
        "│ str    ┆ str          │\n╞════════╪══════════════╡\n│ alice  ┆ {A:14} │\n│ robert ┆ {B:14} │\n"
        "└────────┴──────────────┘\n"
    ),
    "DuckDB": (
        "┌─────────┬──────────────┐\n│  user   │   password   │\n│ varchar │   varchar    │\n"
        "├─────────┼──────────────┤\n│ alice   │ {A:14} │\n│ robert  │ {B:14} │\n└─────────┴──────────────┘\n"
    ),
    "R": "# A tibble: 2 x 2\n  user   password      \n  <chr>  <chr>         \n1 alice  {A:14}\n2 robert {B:14}\n",
    "Vault": (
        "Key         Value\n---         -----\nusername    alice\npassword    {A}\ndb_pass     {B}\n"
        "age         41\n"
    ),
    "columns of a shell": "NAME      TOKEN             AGE\nalice     {A:16}  3d\nrobert    {B:16}  41d\n",
    "Jira": "||user||password||n||\n|alice|{A}|3|\n|robert|{B}|41|\n",
    "Jira, spaced": "|| User || *Password* ||\n| alice | {A} |\n| robert | {B} |\n",
    "MediaWiki": (
        '{| class="wikitable"\n! user !! password !! n\n|-\n| alice || {A} || 3\n|-\n| robert || {B} || 41\n|}\n'
    ),
    "MediaWiki, a cell a line": (
        "{|\n|+ Users\n|-\n! user\n! password\n|-\n| alice\n| {A}\n|-\n| robert\n| {B}\n|}\n"
    ),
    "AsciiDoc": "|===\n|user |password |n\n\n|alice |{A} |3\n|robert |{B} |41\n|===\n",
    "AsciiDoc, a cell a line": "|===\n|user\n|password\n\n|alice\n|{A}\n\n|robert\n|{B}\n|===\n",
    "AsciiDoc of psql": (
        '.Users\n[options="header",cols=">l,<l,<l"]\n|====\n^l|id ^l|username ^l|password\n>l|1 <l|alice <l|{A}\n'
        ">l|41 <l|robert <l|{B}\n|====\n\n....\n(2 rows)\n....\n"
    ),
    "LaTeX": "user & password & n \\\\ \\hline\nalice & {A} & 3 \\\\\nrobert & {B} & 41 \\\\\n",
    "LaTeX of psql": (
        "\\begin{tabular}{r | l}\n\\textit{username} & \\textit{password} \\\\\n\\hline\nalice & {A} \\\\\n"
        "robert & {B} \\\\\n\\end{tabular}\n\n\\noindent (2 rows) \\\\\n"
    ),
    "long LaTeX of psql": (
        "\\begin{longtable}{l | l}\n\\small\\textbf{\\textit{username}} & \\small\\textbf{\\textit{password}} \\\\\n"
        "\\midrule\n\\endfirsthead\n\\small\\textbf{\\textit{username}} & \\small\\textbf{\\textit{password}} "
        "\\\\\n\\midrule\n\\endhead\n\\raggedright{alice}\n&\n\\raggedright{{A}} \\tabularnewline\n"
        "\\raggedright{robert}\n&\n\\raggedright{{B}} \\tabularnewline\n\\end{longtable}\n"
    ),
    "COPY": "COPY public.users (id, username, password) FROM stdin;\n1\talice\t{A}\n41\trobert\t{B}\n\\.\n",
    "rows": "[('user', 'password', 'age'), ('alice', '{A}', 3), ('robert', '{B}', 41)]",
    "JSON": '[["user","password"],["alice","{A}"],["robert","{B}"]]',
    "parametrize": '@pytest.mark.parametrize("user,password", [("alice", "{A}"), ("robert", "{B}")])',
    "parametrize, a tuple": '@pytest.mark.parametrize(("user", "password"), [("alice", "{A}"), ("robert", "{B}")])',
    "INSERT": "INSERT INTO users (age, password) VALUES\n  (3, '{A}'),\n  (41, '{B}');",
}  # fmt: skip


def tables(first: str, second: str) -> dict[str, str]:
    """Every table, with these secrets in it."""
    def fitted(place: re.Match[str]) -> str:
        return (first if place[1] == "A" else second).ljust(int(place[2]))

    drawn = {name: text.replace("{A}", first).replace("{B}", second) for name, text in TEXTS.items()}
    padded = {name: re.sub(r"\{([AB]):(\d+)\}", fitted, text) for name, text in drawn.items()}
    return {**_of_pandas(first, second), **_of_rich(first, second), **padded}


def _left(text: str, secrets: tuple[str, ...]) -> list[str]:
    return [word for secret in secrets for word in secret.split() if len(word) > 1 and word in text]


@pytest.mark.parametrize("name", tables(FIRST, SECOND))
def test_a_column_is_hidden_below_its_head(name: str) -> None:
    """The values below the name of a secret are taken out, words and phrases too; what is in other columns stays."""
    for secrets in SECRETS:
        text = tables(*secrets)[name]
        shown = redact(text)
        assert _left(shown, secrets) == [], shown
        assert [word for word in KEPT if word in text and word not in shown] == [], shown
        assert redact(shown) == shown


@pytest.mark.parametrize("name", tables(FIRST, SECOND))
def test_a_column_is_hidden_within_other_texts(name: str) -> None:
    """The same holds in an error of pytest, in a log, in JSON, in a repr and in a page."""
    text = tables(FIRST, SECOND)[name]
    prefix = "" if name in ("after a word", "of a log") else "E       "  # there the rows are not below their head
    quoted = "\n".join(f"{prefix}{line}" for line in text.splitlines())
    for around in (quoted, f"it said:\n\n{text}\n\nand went on\n", json.dumps({"said": text, "more": "x"}),
                   repr([text, 1]), f"<pre>{html.escape(text)}</pre>"):  # fmt: skip
        assert _left(redact(around), (FIRST, SECOND)) == [], redact(around)


def test_json_around_a_table_stays_json() -> None:
    """Only the cells of a table in a text are replaced, not what ends the text."""
    for name, text in tables(FIRST, SECOND).items():
        assert list(json.loads(redact(json.dumps({"said": text, "more": "x"})))) == ["said", "more"], name


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_in_colours(spelling: str) -> None:
    """What a terminal shows as one text is read as one, whatever sequences are between its words."""
    text = with_secret(spelling, FIRST)
    for sequence in ("\x1b[33m{}\x1b[0m", "\x1b[38;5;241m{}\x1b[39;49;00m"):
        coloured = re.sub(r"[\w-]+|[^\w\s-]", lambda word, around=sequence: around.format(word[0]), text)
        assert FIRST not in redact(coloured)
    if "\n" not in text:
        assert redact(f"\x1b[1m{text}\x1b[0m").endswith("\x1b[0m")


STAYS = """
the password\\nis wrong and so is\\nthe user
Please enter user, password\\nand go on, please
user, password = read()\\nhost, port = more()
import token, secrets\\nimport os, sys
| field | type |\\n|---|---|\\n| password | str |\\n| host | str |
| name | value |\\n|---|---|\\n| password | required |\\n| host | optional |
| suite | pass | fail |\\n|---|---|---|\\n| a | 12 | 3 |
kind      what\\npassword  hidden\\ntoken     required
  --password  never asked for\\n  --token     what is sent
 #   Column    Non-Null Count  Dtype\\n---  ------    --------------  -----\\n 1   password  2 non-null      str
Package       Version\\n------------- -------\\ntoken-bucket  0.3.0\\nsecrets       1.0
Passwords\\n---------\\nText about them follows here.
Name                    Stmts  Miss\\n---------------------------------\\ntests/test_password.py     12     0
model   tokens   cost\\ngpt     1200     0.5\\nother   900      0.2
cat secrets | grep password | wc\\nps | grep x | wc
a | password | b
password: str | None\\nhost: str | None
For example: "a secret"\\n    userinfo = self.userinfo\\n    return userinfo
# default behavior: generated default token\\n    # keep it\\n    self.token = None
* option tokens\\n  * `name` {string} Long name\\n  * `value` {string} Value
        except ValueError:\\n            pass\\n        in_file = open(x)
        token\\n    a = b\\n    c = d
choices=["user", "password"], default=["user"]
""".strip().splitlines()


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_column_of_secrets_can_be_read(text: str) -> None:
    """Prose, code, lists of types, of tests, of packages and counts stay, though the name of a secret is in them."""
    text = text.replace("\\n", "\n")
    assert redact(text) == text
    assert redact(f"before\n\n{text}\n\nafter") == f"before\n\n{text}\n\nafter"


def test_a_table_that_arrives_in_pieces_is_recognised_by_its_head() -> None:
    """A row is read with the lines before it, which are not given again."""
    head = "id,user,password\n"
    assert redact(f"1,alice,{FIRST}\n", head) == "1,alice,***\n"
    assert redact(head, "") == head

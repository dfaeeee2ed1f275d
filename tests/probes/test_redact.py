"""Secrets: out of every text by its shape and by value, and nothing else out of it."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from kit.probes import redact as door
from kit.probes.redact import (
    Known,
    found_in,
    learn_all,
    may_hold_a_secret,
    names_a_secret,
    redact,
    redact_command,
    without_secrets,
)
from tests.spellings import IN_A_PAGE, SPELLINGS, with_secret

S = "Zq7-xW9"

STAYS = """
sessionid=None
ldapsearch -x -b dc=x -LLL
htpasswd -c users u
net user /domain
mosquitto_sub -h h -p 1883 -t x
password_file=/run/secrets/db
DB_PASSWORD_FILE=/run/secrets/db
FATAL:  password authentication failed for user "shop"
no password supplied
Access denied for user 'x'@'h' (using password: YES)
import passwd
sudo: passwd: command not found
File "/usr/lib/python3/passwd.py", line 3, in read
token_type=bearer
token_type: bearer
tokenizer=gpt2
max_tokens=100
a secret is what nobody sees
The secret: keep it short, and tell nobody.
Bearer tokens are sent in the header
basic example of it
password: str
password: str | None
password: Optional[str] = None
password: SecretStr
def connect(password=None, token=None):
def connect(user, password): return user
connect(password=password)
connect(password=settings.database.password)
connect(password=os.environ["DB_PASS"], user="u")
connect(password=get_password())
password=%s
password=%(password)s
password = $1
password=***
postgresql://u:***@h/db
postgresql://user@host/db
postgresql://host:5432/db
postgresql://host:port/name
postgresql://localhost:543[0-9]/x
postgresql://localhost:*/x
http://localhost:8000/users/@me
http://localhost:8000/a b@c
sqlite:///shop.db
sqlite://:memory:
["http://a:80","me@x.org"]
write to me@example.org
tests/test_password.py::test_password[token] PASSED
tests/test_tokens.py:12: AssertionError
KeyError: 'DB_PASS'
KeyError: 'password'
Field required: password
password: too short, as it seems
if not token:
except KeyError: pass
primary_key=True
sort_key=name
key=value
cache_key='abc'
PWD=/home/me/project
bypass=yes
3 passed, 1 failed
author=me
Key (id)=(3) already exists.
def admin_login(self, username, password, login_url="/admin/"):
re.compile("api|token|key|secret|password|signature", re.I)
if "set-password" in data or "unset-password" in data
user, name = "u", "n"
first, second = 'passwords', 'x'
{"Key": "HOME", "Value": "/root"}
| name | value |
| tests/test_password.py | 3 passed |
<td>tests</td><td>12</td>
INSERT INTO users (id, name) VALUES (1, 'u')
os.environ.get("DB_PASS", "")
PASSWORD = os.getenv("DB_PASS") or None
the password is required
the token is invalid
name\\n  Field required [type=missing, input_value={'a': 1}, input_type=dict]
sacred: yes
zip -r x.zip a
setattr(app, "name", "shop")
PRAGMA foreign_keys = 'on'
compass: north
psql -h h -p 5432
psql -p5433
cp -p a b
12:30:45 INFO a:b
keyboard=us
select password from users
password varchar(64) not null
OAuth2PasswordBearer(tokenUrl="login")
unexpected token '<'
password_min_length=12
reset_password_url=/reset
{"password": {"type": "string", "title": "Password"}}
${DB_PASS}
DB_PASS=${DB_PASS}
DB_PASS=$OTHER
user identified by its name
git@github.com:owner/repo.git
sites.token_count = 3
Pass `--full-trace` to see all frames
header = request.headers.get("Authorization")
token = os.environ.get('GITHUB_ACCESS_TOKEN', None)
password = click.prompt("Password", hide_input=True)
scope[_ROUTE_KEY] = route
data["client_secret"] = form.client_secret
password=auth[1]
cookie_params: list[str] = []
tokens: list[str]
apiKey = "apiKey"
Sets a 'Cookie:' header
STATUS_KEY = "status"
<td>passes</td><td>different loop</td>
a cookie: {field.name}
""".strip().splitlines()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_by_what_is_around_it(spelling: str) -> None:
    """Whatever way a password is written in a text, it is taken out, and a second time changes nothing."""
    text = with_secret(spelling, S)
    hidden = redact(text)
    assert S not in hidden
    assert "***" in hidden
    assert redact(hidden) == hidden


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_within_other_texts(spelling: str) -> None:
    """The same holds in the midst of a log, in a repr, in JSON, in HTML and beside another secret."""
    text = with_secret(spelling, S)
    for around in (f"at 12:00 it said: x\n{text}\nand went on", repr([text]), json.dumps({"said": text}),
                   html.escape(text), f"{text}\n{text}"):
        assert S not in redact(around)


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_secret_can_be_read(text: str) -> None:
    """Types, references, placeholders, names and sentences about passwords stay as they are."""
    assert redact(text) == text


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_between_tags(spelling: str) -> None:
    """The same holds in a page: in cells, code, attributes and references, marked, highlighted, in parts."""
    for way, put in IN_A_PAGE.items():
        hidden = redact(put(with_secret(spelling, S), S))
        assert S not in hidden, way
        assert redact(hidden) == hidden, way


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_secret_can_be_read_between_tags(text: str) -> None:
    """What stays in a text stays in a page; but for what in the quotes of an attribute looks like a quoted value."""
    for way, put in IN_A_PAGE.items():
        page = put(text, S)
        assert redact(page) == page or (way == "j" and text == 'apiKey = "apiKey"'), way


SHOWN_IN_PAGES = f"""
<td>password</td><td>{S}</td>
<b>DATABASE_URL</b>=<code>postgresql://u:{S}@h/db</code>
<code>postgresql://u:<b>{S}</b>@<i>h</i>/db</code>
<tr><td>DB password:</td><td><code>{S}</code></td><td>of the database</td></tr>
<dl><dt>user</dt><dd>u</dd><dt>password</dt><dd>{S}</dd></dl>
<b>Password</b> <code>{S}</code>
<div>password</div>\\n<div>{S}</div>
<table><thead><tr><th></th><th>usename</th><th>passwd</th></tr></thead><tbody><tr><th>0</th><td>u</td><td>{S}</td></tr></tbody></table>
<table><tr><td>user</td><td>password</td><td>host</td></tr><tr><td>u</td><td>{S}</td><td>h</td></tr></table>
<table><tr><th colspan="2">who</th><th>password</th></tr><tr><td>u</td><td>v</td><td>{S}</td></tr></table>
<table><tr><th>password</th></tr><tr><td>{S}</td></tr></table>
<tr><th>password</th><td>x-7</td><td>{S}</td></tr>
<a href="https://u:{S}@h/x">x</a>
<a title="a > b" data-x="password: {S}">x</a>
<iframe srcdoc="&lt;td&gt;password&lt;/td&gt;&lt;td&gt;{S}&lt;/td&gt;"></iframe>
&lt;td&gt;password&lt;/td&gt;&lt;td&gt;{S}&lt;/td&gt;
{{"text/html": "<td>password</td>\\n<td class=\\"x\\">{S}</td>"}}
<password>a&lt;b{S}</password>
<label for="password">Password</label> <input id="password" value=""> <span class="password">{S}</span>
""".strip().splitlines()


@pytest.mark.parametrize("page", SHOWN_IN_PAGES)
def test_a_secret_is_known_by_other_tags(page: str) -> None:
    """What shows that a value is a secret may be in another cell, in the head of its column, before or around tags."""
    hidden = redact(page.replace("\\n", "\n"))
    assert S not in hidden
    assert re.findall("<[^<>]*>", hidden.replace(S, "***")) == re.findall("<[^<>]*>", page.replace(S, "***"))


@pytest.mark.parametrize(
    "page",
    [
        "<tr><td>password</td><td>str</td></tr>", "<tr><td>password</td><td>required</td></tr>",
        "<tr><td>password</td><td>varchar(64)</td></tr>", "<th>token</th><td>None</td>", "<td>PWD</td><td>/h/me</td>",
        "<table><tr><th>tokens</th><th>n</th></tr><tr><td>12</td><td>3</td></tr></table>",
        "<table><tr><th>user</th><th>password</th></tr><tr><td>postgres</td><td>********</td></tr></table>",
        '<label for="password">Password</label><input type="text" name="user" value="u">',
        "<b>Password</b> <i>Enter a new one</i>", "<p>Forgot the password?</p><p>Here</p>",
        "<li>token</li><li>name</li>",
        "<td>Reset password</td><td>now</td>", '<a href="#password">Passwords</a> <a href="#hosts">Hosts</a>',
        "password: <class 'str'>\n host: h", "tokens: List<String> words", "<td>test_password.py</td><td>3 passed</td>",
    ],
)  # fmt: skip
def test_what_is_beside_a_name_in_a_page_may_be_no_secret(page: str) -> None:
    """Types, placeholders, words about a password and other columns stay."""
    assert redact(page) == page


VALUE = "gr\u00fcn <b&\"c/d'e\\f g%h@i=1"


@pytest.mark.parametrize(
    "spelled",
    [
        VALUE, repr(VALUE), repr(repr(VALUE)), json.dumps(VALUE), json.dumps(VALUE, ensure_ascii=False),
        json.dumps({"a": json.dumps({"b": VALUE})}), html.escape(VALUE), html.escape(html.escape(VALUE)),
        VALUE.replace("<", "&lt;").replace("'", "&#x27;"), quote(VALUE), quote(VALUE, safe=""), quote_plus(VALUE),
        quote(VALUE, safe=" +"), quote(quote(VALUE, safe=""), safe=""), quote(VALUE, safe="").lower(),
        shlex.quote(VALUE), VALUE.replace("'", "''"), VALUE.encode().__repr__(), f"x{VALUE}y",
        base64.b64encode(VALUE.encode()).decode(), base64.b64encode(f"me:{VALUE}".encode()).decode(),
        base64.urlsafe_b64encode(f"a:{VALUE}:b".encode()).decode(),
    ],
)  # fmt: skip
def test_a_value_is_known_in_every_spelling(spelled: str) -> None:
    """What was learned to be a secret is taken out of JSON, HTML, URLs, shells, reprs and base64."""
    hidden = Known([VALUE]).out_of(f"before {spelled} after")
    assert "***" in hidden
    assert not [part for part in ("c/d", "%2f", "&amp;") if part in hidden.lower()]
    assert re.fullmatch("before .* after", hidden)
    if "ZCdlXG" in spelled:
        assert "ZCdlXG" not in hidden


@pytest.mark.parametrize(
    "word", ["", "app", "test", "test1", "postgres", "postgres1", "Production", "production", "12345", "PRODDB", "x-y",
             "/run/secrets/db.key"]
)
def test_what_may_be_an_ordinary_word_is_no_value_to_look_for(word: str) -> None:
    """A password that is a word is hidden where its shape shows it, and spoils no other text."""
    text = f"{word} at postgresql://u:{word}@h/db is {word}."
    assert Known([word]).out_of(text) == text
    assert redact(text) == (f"{word} at postgresql://u:***@h/db is {word}." if word else text)


def test_a_short_value_is_taken_out_where_it_stands_alone() -> None:
    """What is short and mixed goes as a word, not as a part of one."""
    assert Known(["aB3xY"]).out_of("aB3xY, 'aB3xY' and kaB3xYz") == "***, '***' and kaB3xYz"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_in_a_sentence(spelling: str) -> None:
    """The same holds for a text after words and between bars, as a notebook shows a claim."""
    text = with_secret(spelling, S)
    assert S not in redact(f"held  c1: It is {text} | expected {text} | observed {text}")


def test_what_is_learned_goes_wherever_it_turns_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values with names of secrets, the passwords of URLs and DSNs, and what they mean unquoted, go from all texts."""
    monkeypatch.setattr(door, "_values", {})
    monkeypatch.setattr(door, "_known", Known())
    learn_all({
        "SHOP_PASSWORD": "first-Value1", "DSN": "host=h password=second-Value2", "n": 3, "HOME": "/home/me",
        "URL": "postgresql://shop_user7:third%2FValue3@h/shop_user7", "deep": {"api_key": "fourth-Value4"},
        "many": ["--token=fifth-Value5"], "DB_SECRET": "shop_user7", "DB_USER": "shop_user7",
    })  # fmt: skip
    said = "first-Value1 second-Value2 third/Value3 third%2FValue3 fourth-Value4 fifth-Value5 shop_user7 /home/me 3"
    assert redact(said) == "*** *** *** *** *** *** shop_user7 /home/me 3"


def test_the_secrets_of_a_text_are_found_as_they_are_meant() -> None:
    """What a URL quotes is found quoted and unquoted."""
    assert {"a%2Fb", "a/b"} <= set(found_in("postgresql://u:a%2Fb@h/d"))


def test_no_half_of_a_secret_stays_where_a_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The beginning of a text has no beginning of a secret that goes over its end."""
    monkeypatch.setattr(door, "_values", {})
    monkeypatch.setattr(door, "_known", Known())
    learn_all({"SHOP_PASSWORD": "first-Value1"})
    text = "x first-Value1 and more"
    assert [door.beginning(text, size) for size in (4, 9, 30)] == ["x **", "x *** and", "x *** and more"]


def test_known_values_are_not_shown_by_their_own_repr() -> None:
    """What holds the secrets does not print them."""
    assert "first" not in repr(Known(["first-Value1"]))


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["pytest", "--db-pass", "x", "-q"], ["pytest", "--db-pass", "***", "-q"]),
        (["pytest", "--db-pass=x", "-q"], ["pytest", "--db-pass=***", "-q"]),
        (["env", "PGPASSWORD=x", "pytest"], ["env", "PGPASSWORD=***", "pytest"]),
        (["mysql", "-uroot", "-px"], ["mysql", "-uroot", "-p***"]),
        (["sshpass", "-p", "x y", "ssh"], ["sshpass", "-p", "***", "ssh"]),
        (["sh", "-c", "mysql -px a"], ["sh", "-c", "mysql -p*** a"]),
        (["pytest", "--db-url", "postgresql://u:x@h/d"], ["pytest", "--db-url", "postgresql://u:***@h/d"]),
        (["pytest", "-p", "no:cacheprovider", "tests/test_token.py"],) * 2,
        (["psql", "-p", "5432", "--password-file", "x"],) * 2,
    ],
)
def test_a_command_is_shown_without_secrets(command: list[str], shown: list[str]) -> None:
    """An argument that stands apart from its option's name is hidden as one that is joined to it."""
    assert redact_command(command) == shown


def test_structures_lose_what_has_the_name_of_a_secret() -> None:
    """Keys name secrets as variables do; what is beside, and names of files and types, stay."""
    value = {"db_password": "x", "url": "postgresql://u:x@h/d", "rows": [{"token": "x", "n": 1}], "password": None,
             "password_file": "/x", "argv": ["a", "--password", "x"], "set": {"name": "DB_PASS", "value": "x"},
             "task": [{"Key": "DB_PASS", "Value": "x"}, {"key": "db_pass", "value": "x"}, {"value": "x"}],
             "DATABASE_KEY": "postgresql://u:x@h/d"}  # fmt: skip
    assert without_secrets(value) == {
        "db_password": "***", "url": "postgresql://u:***@h/d", "rows": [{"token": "***", "n": 1}], "password": None,
        "password_file": "/x", "argv": ["a", "--password", "***"], "set": {"name": "DB_PASS", "value": "***"},
        "task": [{"Key": "DB_PASS", "Value": "***"}, {"key": "db_pass", "value": "***"}, {"value": "x"}],
        "DATABASE_KEY": "postgresql://u:***@h/d",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["DB_PASS", "dbpass", "apiKey", "X-Api-Key", "SECRET_KEY", "DJANGO_KEY", "sslpassword",
                                  "PGPASSWORD2", "clientSecret", "REDISCLI_AUTH", "aws_session_token"])  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    """Whatever the case and the style, a name of a secret is known as one."""
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["password_file", "tokenUrl", "PRIMARY_KEY", "key", "tokenizer", "secretary", "bypass",
                                  "author", "max_tokens", "keyboard", "passed", "monkey", "DB_PASSWORD_FILE"])
def test_names_of_other_things(name: str) -> None:
    """What only sounds like a secret, or says something about one, is none."""
    assert not names_a_secret(name)


def test_most_texts_are_not_looked_at_twice() -> None:
    """A line of a record without any mark of a secret costs a quick look only."""
    line = '{"kind":"use","at_s":1.5,"stack":3,"test":"tests/test_sites.py::test_all","phase":"call","engine":"e1"}'
    assert not may_hold_a_secret(line)


def test_a_long_text_is_looked_through_in_bounded_steps() -> None:
    """Neither a flood of letters nor of marks makes the work grow faster than the text."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from kit.probes.redact import redact\n"
        "for flood in ('x' * 400_000, 'password ' * 50_000, '://a:' * 50_000, 'key=' * 50_000, '\\\\\\'' * 100_000,\n"
        "              'mysql ' * 50_000, 'htpasswd ' * 40_000, 'http ' * 50_000,\n"
        "              'password=[' * 40_000, \"password='\" * 40_000,\n"
        "              \"type='password'\" * 10_000,\n"
        "              '<td>' * 50_000, '<a \"' * 50_000, '<a title=\"\">' * 30_000, '<tr><th>password' * 20_000,\n"
        "              '<th colspan=99>token' * 10_000, '</b>password<b>' * 20_000, '<a &lt;' * 40_000,\n"
        "              'user | password\\n-----+----\\n' * 10_000, 'user,password\\n\"a,b\\n' * 10_000,\n"
        "              '|===\\n|password\\n' * 10_000, '{|\\n! password\\n' * 10_000,\n"
        "              'a & password \\\\\\\\\\n' * 10_000,\n"
        "              '  user password\\n0 a b\\n' * 10_000, \"['user','password'],\" * 10_000,\n"
        "              'token token\\n' * 20_000,\n"
        "              'Name: password, dtype: object\\n' * 10_000,\n"
        "              'echo x | docker login --password-stdin; ' * 10_000,\n"
        "              '<a &amp;quot;' * 30_000, '&#60;b&#62;' * 30_000, '<b> ' + ' ' * 200_000):\n"
        "    redact(flood + ' password=Zq7-xW9')\n"
    )
    # Seconds of the processor, which other work does not use up.
    limited = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n" + script
    subprocess.run([sys.executable, "-c", limited, str(Path(__file__).parents[2])], check=True)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD"])
def test_a_working_directory_is_no_secret(name: str, tmp_path: Path) -> None:
    """Whatever the folder's name is, no path in it is hidden; what is no folder is a password, as PWD is in ODBC."""
    folder = tmp_path / "my project"
    folder.mkdir()
    assert door.secrets_among({name: str(folder)}) == []
    assert door.secrets_among({name: "/usr"}) == []
    assert door.secrets_among({name: f"{folder}/h1dden"}) == [f"{folder}/h1dden"]


def test_what_a_driver_makes_of_a_password_that_is_not_quoted_is_known_by_value() -> None:
    """libpq ends a password at the first @, and tells of a host that could not be resolved."""
    known = Known(found_in(f"postgresql://u:a@{S}@h/db"))
    assert known.out_of(f"failed to resolve host '{S}@h'") == "failed to resolve host '***@h'"


def test_the_shapes_of_a_text_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test of a suite names the same URLs: a text is searched the first time; a long one is not kept for that."""
    searched: list[str] = []
    monkeypatch.setattr(door, "spans", lambda text: searched.append(text) or ())
    short, long = "password of test_the_shapes", "password " + "x" * 1000
    for text in (short, long):
        for _ in range(2):
            door.redact(text)
    assert [searched.count(short), searched.count(long)] == [1, 2]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([',"verb":"select"', ',"tables":["sites"]'], False),
        ([',"verb":"select"', ',"url":"postgresql://u:x@h/d"'], True),
        ([',"verb":"select"', ',"text":"alter role u password"'], True),
        ([',"a":"correct-horse-battery"', ',"b":1'], True),
        ([',"a":"' + "x" * 2000 + ' token"'], True),
        ([], False),
    ],
)
def test_a_text_in_pieces_is_asked_like_the_whole(pieces: list[str], expected: bool) -> None:
    """What holds a mark, or a value that is known as a secret, in any of its pieces; short and long."""
    door.learn("correct-horse-battery")
    whole = "".join(pieces)
    assert door.may_hold_a_secret_in(pieces, whole) is door.may_hold_a_secret(whole) is expected

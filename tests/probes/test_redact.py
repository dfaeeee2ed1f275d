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

S = "Zq7-xW9"

# {S} stands for the secret.
SPELLINGS = """
{'password': '{S}'}
{"password": "{S}"}
{"password":"{S}","host":"h"}
{\\"password\\": \\"{S}\\"}
{"a": "{\\"db_password\\": \\"{S}\\"}"}
&quot;password&quot;: &quot;{S}&quot;
&#39;password&#39;: &#39;{S}&#39;
{'user': 'u', 'sslpassword': '{S}', 'port': 1}
dbname=x password={S} host=h
dbname=x password='{S}' host=h
dbname=x password = '{S}' host=h
password='it\\'s {S}'
password='it''s {S}'
password={S};host=h
password={S}&x=1
password=a,b{S} host=h
password={S},c,d&e host=h
DB_PASS={S}
DB_PASSWORD={S}
export PGPASSWORD='{S}'
PGPASSWORD={S} psql -h x
MYSQL_PWD={S}
POSTGRES_PASSWORD_PROD={S}
PGPASSWORD2={S}
--password {S}
--password={S}
--password '{S}'
--db-pass {S} --verbose
['pytest', '--password', '{S}']
["--db-password", "{S}", "-q"]
-Dspring.datasource.password={S}
mysql -u root -p{S} shop
mysqldump -uroot -p{S} shop
['mysql', '-uroot', '-p{S}']
psql -h h -p{S}
sshpass -p {S} ssh h
redis-cli -a {S} ping
curl -u me:{S} https://h/
password=SecretStr('{S}')
password=SecretStr("{S}")
password=quote_plus('{S}')
Settings(host='h', password=b'{S}')
passphrase={S}
secret={S}
SECRET_KEY={S}
SECRET_KEY = 'django-insecure-{S}'
API_KEY={S}
apiKey: {S}
"apikey":"{S}"
token={S}
access_token={S}&token_type=bearer
clientSecret={S}
private_key={S}
AccountKey={S};EndpointSuffix=x
Authorization: Bearer {S}
Authorization: Basic {S}
Authorization: {S}
{'authorization': 'Bearer {S}'}
(b'authorization', b'Bearer {S}')
-H 'Authorization: Token {S}'
X-Api-Key: {S}
Cookie: session={S}; a=b
Bearer {S}
AWS_SECRET_ACCESS_KEY={S}
aws_secret_access_key = {S}
redis://{S}@h
redis://:{S}@h
rediss://u:{S}@h:1/0
postgresql://u:{S}@h/db
postgresql+asyncpg://u:{S}@h:5432/db
postgresql://u:{S}%40%2F@h/db
postgresql://u:a/{S}@h/db
postgresql://u:12/{S}@h/db
postgresql://u:a'{S}@h/db
postgresql://u:a {S}@h/db
postgresql://u:a@{S}@h/db
postgresql://u:a?{S}@h/db
postgresql://u:a#{S}@h/db
postgresql://h:{S}/db
postgresql:\\/\\/u:{S}@h\\/db
postgresql%3A%2F%2Fu%3A{S}%40h%2Fdb
jdbc:postgresql://h/db?user=u&password={S}
https://h/?url=postgresql://u:{S}@h/d
postgresql://u@h/db?password={S}&sslmode=x
postgresql://u@h/db?password=x1y2z3a4&sslpassword={S}
postgresql://u@h/db#password={S}
https://h/#access_token={S}&x=1
https://h/x?sig={S}&se=1
https://h/x?X-Amz-Signature={S}&a=1
https://{S}0123456789abc@github.com/o/r.git
git+https://me:{S}@h/o/r.git@main
amqp://u:{S}@h:5672//
mongodb+srv://u:{S}@h/db
mongodb://u:{S}@h1:27017,h2:27017/db
DSN="host=h password={S}"
{"dsn": "host=h password={S}"}
('host=h password={S}',)
DRIVER={x};SERVER=h;UID=u;PWD={{S}};
DRIVER={x};SERVER=h;UID=u;PWD={S};Database=d
Server=h;Password={S};Trusted=no
password: {S}
  db_password: "{S}"
db: {user: u, password: {S}}
password: |\\n  {S}\\n
- name: DB_PASSWORD\\n  value: {S}
{"name": "DB_PASSWORD", "value": "{S}"}
password: str = '{S}'
password: Optional[str] = "{S}"
<password>{S}</password>
<input type="password" name="x" value="{S}">
create role x login password '{S}'
ALTER USER x WITH ENCRYPTED PASSWORD E'{S}'
alter role x password $${S}$$
create user x identified by '{S}'
create user x identified by "{S}"
ALTER USER x IDENTIFIED BY {S}
set password for u = '{S}'
where password = '{S}'
localhost:5432:db:user:{S}
*:*:*:user:{S}
machine h login u password {S}
passwords=['{S}']
passwords=['a', '{S}']
tokens=("{S}",)
('password', '{S}')
[['user', 'u'], ['password', '{S}']]
setenv("DB_PASS", "{S}")
os.environ['DB_PASS'] = '{S}'
config["password"]="{S}"
auth=('u', '{S}')
auth=BasicAuth('u', '{S}')
password => {S}
password := "{S}"
assert user.password == '{S}'
password%3D{S}%26x
scott/{S}@host:1521/orcl
openssl rsa -passin pass:{S}
//registry/:_authToken={S}
spring.datasource.password={S}
password -> {S}
password is: {S}
password for u: {S}
password mismatch: '{S}' != 'x'
assert '{S}' == settings.password
password {S}
secret: !!str {S}
password: &x {S}
<entry key="password">{S}</entry>
<add key="DbPassword" value="{S}"/>
password=<SecretStr {S}>
SET PASSWORD TO '{S}'
URL.create('postgresql', 'u', '{S}', 'h')
http -a u:{S} h
az login -p {S}
kennwort={S}
contraseña={S}
got password '{S}', expected
password\\u003d{S}
%7B%22password%22%3A%22{S}%22%7D
CREATE LOGIN x WITH PASSWORD = N'{S}'
proxy=http://u:{S}@p:3128
:password => "{S}"
x-amz-security-token: {S}
DB_PASSWORD:\\n  value: "{S}"\\n  description: of the database
{"Key": "DB_PASSWORD", "Value": "{S}"}
{"Name":"DB_PASSWORD","Value":"{S}"}
{"value": "{S}", "name": "DB_PASSWORD"}
{"key": "password", "type": "secret", "value": "{S}"}
DB_PASSWORD\\n  String should have at least 12 characters [type=string_too_short, input_value='{S}', input_type=str]
DETAIL:  Key (password)=({S}) already exists.
[SQL: INSERT INTO users (name, password) VALUES (%s, %s)]\\n[parameters: ('u', '{S}')]
INSERT INTO users (name, password) VALUES ('u', '{S}')
<tr><td>DB_PASSWORD</td><td>{S}</td></tr>
<tr><th>password</th>\\n<td>{S}</td></tr>
<Password>\\n  {S}\\n</Password>
| DB_PASSWORD | {S} |
│ password    │ {S} │
config("DB_PASSWORD", default="{S}")
environ.get('DB_PASSWORD') or '{S}'
PASSWORD = os.getenv('X') or '{S}'
"PASSWORD": os.environ.get("P", "{S}"),
user, password = "u", "{S}"
password, user = "{S}", "u"
(user, password) = ('u', '{S}')
setattr(settings, "password", "{S}")
Settings(SecretStr("{S}"), b=SecretBytes(b'{S}'))
the password is {S}
Password for user u: {S}
mysql -uroot -p'{S}' shop
twine upload -u u -p {S} dist/*
unzip -P {S} x.zip
redis-cli -a{S} ping
7z a -p{S} x.7z data
['7z', 'x', '-p{S}', 'x.7z']
rar a -hp{S} x.rar data
Cookie jar: sessionid={S}; path=/
GET /x;JSESSIONID={S}
PHPSESSID={S}
connect.sid={S}
smbclient //h/share -U u%{S}
ldapsearch -x -D cn=u -w {S} -b dc=x
mosquitto_pub -h h -u u -P {S} -t x
htpasswd -b users u {S}
htpasswd -nbB u {S}
lftp -u u,{S} h
echo 'u:{S}' | sudo chpasswd
rabbitmqctl add_user u {S}
net user u {S} /add
sqlplus scott/{S}
jdbc:oracle:thin:scott/{S}@//h:1521/orcl
https://hooks.slack.com/services/T000/B000/{S}
https://api.telegram.org/bot123456:{S}/sendMessage
nats://{S}@h:4222
PRAGMA key = '{S}'
creds=('u', '{S}')
DB_CRED={S}
bindpw {S}
csrftoken={S}
-----BEGIN PRIVATE KEY-----\\n{S}\\nabc\\n-----END PRIVATE KEY-----
-----BEGIN RSA PRIVATE KEY-----\\n{S}
""".strip().splitlines()

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
    text = spelling.replace("{S}", S).replace("\\n", "\n")
    hidden = redact(text)
    assert S not in hidden
    assert "***" in hidden
    assert redact(hidden) == hidden


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_within_other_texts(spelling: str) -> None:
    """The same holds in the midst of a log, in a repr, in JSON, in HTML and beside another secret."""
    text = spelling.replace("{S}", S).replace("\\n", "\n")
    for around in (f"at 12:00 it said: x\n{text}\nand went on", repr([text]), json.dumps({"said": text}),
                   html.escape(text), f"{text}\n{text}"):
        assert S not in redact(around)


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_secret_can_be_read(text: str) -> None:
    """Types, references, placeholders, names and sentences about passwords stay as they are."""
    assert redact(text) == text


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
        "              \"type='password'\" * 10_000):\n"
        "    redact(flood + ' password=Zq7-xW9')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(Path(__file__).parents[2])], check=True, timeout=60)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD"])
def test_a_working_directory_is_no_secret(name: str, tmp_path: Path) -> None:
    """Whatever the folder's name is, no path in it is hidden; what is no folder is a password, as PWD is in ODBC."""
    folder = tmp_path / "my project"
    folder.mkdir()
    assert door.secrets_among({name: str(folder)}) == []
    assert door.secrets_among({name: "/usr"}) == []
    assert door.secrets_among({name: f"{folder}/h1dden"}) == [f"{folder}/h1dden"]

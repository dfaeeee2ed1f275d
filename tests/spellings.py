"""The spellings of a password that are hidden wherever they stand, and a secret of its own in each."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

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
RuntimeError: user, password = "u", "{S}"
test_it.py::test_ids[password, user = "{S}", "u"]
[localhost:5432:db:user:{S}]
""".strip().splitlines()


def core(number: int, place: str = "q") -> str:
    """The part of a planted secret that is looked for; `place` is a letter for where it is planted."""
    return f"Z{place}{number:03d}"


def with_secret(spelling: str, secret: str) -> str:
    """A spelling with a secret in it."""
    return spelling.replace("{S}", secret).replace("\\n", "\n")


def planted(place: str = "q") -> list[str]:
    """Every spelling, each with a secret of its own in it."""
    return [with_secret(one, f"{core(number, place)}-xW9") for number, one in enumerate(SPELLINGS)]


def _referred(text: str, form: str) -> str:
    return re.sub(r"[^\w\s]", lambda sign: form.format(ord(sign[0])), text)


def _highlighted(text: str) -> str:
    return re.sub(r"[\w-]+|[^\w\s]", lambda word: f'<span class="n">{escape(word[0])}</span>', text)


def _marked(text: str, secret: str, before: str, after: str) -> str:
    return f"<div>{escape(text).replace(secret, before + secret + after)}</div>"


# The ways in which a text, given with the secret in it, may be in a page; by letters that are those of no other place.
IN_A_PAGE: dict[str, Callable[[str, str], str]] = {
    "a": lambda text, _: f"<table><tr><td>{text}</td><td>1</td></tr></table>",
    "b": lambda text, _: f"<table>\n <tr>\n  <td>{escape(text)}</td>\n  <td>1</td></tr></table>",
    "c": lambda text, _: f'<TD style="text-align: left;" class="x">{escape(text)}</TD>',
    "e": lambda text, _: f"<pre>{escape(text)}</pre>",
    "f": lambda text, _: f"<pre><code class='a b'>{escape(text)}\n</code></pre>",
    "g": lambda text, _: f"<b>{escape(text)}</b>",
    "h": lambda text, _: f'<p>it: <span style="color:red">{escape(text)}</span> x</p>',
    "j": lambda text, _: f'<span title="{escape(text)}">x</span>',
    "k": lambda text, _: f"<span class=x data-said='{escape(text)}'>x</span>",
    "l": lambda text, _: f"<td>{_referred(text, '&#{};')}</td>",
    "m": lambda text, _: f"<td>{_referred(text, '&#x{:x};')}</td>",
    "n": lambda text, _: f"<td>{escape(escape(text))}</td>",
    "q": lambda text, secret: _marked(text, secret, "<b>", "</b>"),
    "u": lambda text, secret: _marked(text, secret, '<span class="s">', "</span>"),
    "w": lambda text, _: f'<div class="highlight"><pre>{_highlighted(text)}</pre></div>',
    "x": lambda text, _: "<div>" + "<br/>".join(escape(text).splitlines()) + "</div>",
    "y": lambda text, _: "\n".join(f"<div>{escape(line)}</div>" for line in text.splitlines()),
    "z": lambda text, _: re.sub(r"(\w+)([=:])(?!/)", r"<b>\1</b>\2", escape(text)),
}


def planted_in_pages() -> dict[str, list[str]]:
    """Every spelling in each of these ways, each with a secret of its own in it."""
    return {
        way: [
            put(text, f"{core(number, way)}-xW9") for number, text in enumerate(planted(way))
        ] for way, put in IN_A_PAGE.items()
    }  # fmt: skip

"""The passwords of commands: hidden in a line, whatever follows it, and in a list of arguments."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest

from kit.probes.redact import redact, redact_command
from tests.spellings import with_secret

S = "Zq7-xW9"
COMMANDS = """
mysql -uroot -p{S} shop
az login -p {S}
twine upload -u u -p {S} dist/*
unzip -P {S} x.zip
7z a -p{S} x.7z data
rar a -hp{S} x.rar data
smbclient //h/share -U u%{S}
smbclient //h/share -Uu%{S}
ldapsearch -x -D cn=u -w {S} -b dc=x
mosquitto_pub -h h -u u -P {S} -t x
htpasswd -b users u {S}
htpasswd -cb users u {S}
htpasswd -b -C 12 users u {S}
htpasswd -nb u {S}
htpasswd -nbB u {S}
htpasswd -n -b u {S}
htpasswd -nbBC 10 u {S}
htpasswd -nb -- u {S}
/usr/bin/htpasswd -nbB u {S}
docker run --rm httpd:2 htpasswd -nbB u {S}
lftp -u u,{S} h
rabbitmqctl add_user u {S}
rabbitmqctl change_password u {S}
net user u {S} /add
redis-cli -a {S} ping
sqlplus scott/{S}
curl -u me:{S} https://h/
http -a u:{S} h
sshpass -p '{S}' ssh h
curl -U me:{S} h
openssl passwd -6 {S}
openssl passwd -1 -salt ab {S}
openssl enc -aes-256-cbc -k {S} -in x
mkpasswd -m sha-512 {S}
wpa_passphrase ssid {S}
nmcli dev wifi connect ssid password {S}
ssh-keygen -t rsa -N {S} -f x
ipmitool -U u -P {S} power on
xfreerdp /u:u /p:{S} /v:h
qpdf --encrypt {S} owner 256 -- a b
pdftotext -upw {S} a
snmpwalk -v3 -u u -A {S} h
redis-cli -h h auth {S}
vault login {S}
ngrok config add-authtoken {S}
kubectl create secret generic x --from-literal=foo={S}
isql -v dsn user {S}
db2 connect to db user u using {S}
useradd -p {S} u
rclone obscure {S}
aws configure set aws_secret_access_key {S}
""".strip().splitlines()
AROUND: list[Callable[[str], str]] = [
    lambda line: f"{line} and what follows it",
    lambda line: f"<td>{line}</td> <td>x y</td>",
    lambda line: f"{line} >> users && echo done",
    lambda line: f"subprocess.run({line!r}, shell=True, check=True)",
    lambda line: json.dumps({"said": line, "more": "a b"}),
    lambda line: f"`{line}` is run",
    lambda line: f"$({line}) x",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_password_is_hidden_whatever_follows_its_command(command: str) -> None:
    """The argument that is hidden is counted from the command's name, not from the end of the line."""
    for around in AROUND:
        shown = redact(around(with_secret(command, S)))
        assert S not in shown
        assert shown.startswith(around(command).partition("{S}")[0] + "***")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_password_is_hidden_in_a_list_of_arguments(command: str) -> None:
    """Code, the repr of a list and JSON show a command by its arguments; nothing of one that has blanks stays."""
    for secret in (S, f"{S} and {S}"):
        words = [with_secret(word, secret) for word in shlex.split(command)]
        hidden = [word.replace("{S}", "***") for word in shlex.split(command)]
        if "{S}" not in shlex.split(command) and secret != S:
            continue
        for shown in (repr, json.dumps):
            assert redact(shown(words)) == shown(hidden)
        assert S not in " ".join(redact_command(words))


WRITTEN = r"""
echo {S} | docker login -u u --password-stdin
echo -n "{S}" | docker login ghcr.io -u u --password-stdin
printf %s {S} | podman login --password-stdin h
printf '{S}' | gh auth login --with-token
gh auth login --with-token <<< {S}
docker login --password-stdin <<< '{S}'
docker login --password-stdin <<EOF\n{S}\nEOF
cat <<'EOF' | docker login --password-stdin\n{S}\nEOF
echo {S} | tr -d x | docker login --password-stdin
echo {S} | sudo -S apt update
sudo -S ls <<< "{S}"
echo {S} | gpg --batch --passphrase-fd 0 -d x
openssl rsa -passin stdin <<< {S}
echo {S} | openssl passwd -6 -stdin
echo {S} | vault login -
echo {S} | docker secret create x -
gh secret set X <<< {S}
echo {S} | kinit u
read -s PASSWORD <<< {S}
"{S}" | docker login --password-stdin
run(["docker", "login", "--password-stdin"], input="{S}", text=True)
subprocess.run(['sudo', '-S', 'ls'], input=b'{S}')
child.expect("assword:"); child.sendline("{S}")
expect "assword: " { send "{S}\r" }
user.set_password("{S}")
hash_password("{S}")
check_password_hash(h, "{S}")
bcrypt.hashpw(b"{S}", bcrypt.gensalt())
select crypt('{S}', gen_salt('bf'))
select pgp_sym_encrypt('x', '{S}')
ConvertTo-SecureString "{S}" -AsPlainText -Force
requirepass {S}
""".strip().splitlines()


@pytest.mark.parametrize("line", WRITTEN)
def test_what_a_command_or_a_function_is_given_to_read_is_hidden(line: str) -> None:
    """A pipe, a here-document, an answer to a question, an argument of a function for passwords; words, too."""
    for secret in (S, "correcthorse"):
        text = with_secret(line, secret)
        assert secret not in redact(text)
        assert secret not in redact(f"+ x\n{text}\nand more\n")
        assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "line",
    [
        "echo done | tee log", "echo $TOKEN | docker login --password-stdin",
        "cat file | docker login --password-stdin",
        "echo hello | grep password", "printf '%s' \"$(cat x)\" | docker login --password-stdin", "cat <<EOF\nx\nEOF",
        "openssl passwd -stdin", "s.sendline('uptime')", "hash_password(password)", "get_password('db')", "x <<< y",
        "echo yes | sudo -S apt update", "curl -U me h", "vault login -method=oidc", "ssh-keygen -t rsa -f x",
        "set_password(request, user)", "db2 connect to db", "echo a b | sort",
    ],
)  # fmt: skip
def test_what_is_given_to_a_command_that_asks_for_no_secret_is_left(line: str) -> None:
    """Texts for other commands, variables, files and names of functions are shown."""
    assert redact(line.replace("\\n", "\n")) == line.replace("\\n", "\n")


@pytest.mark.parametrize("quoted", ["'a {S} b'", '"a {S} b"', '"a\\"{S} b"', "{S})x"])
def test_a_quoted_password_of_htpasswd_is_hidden_whole(quoted: str) -> None:
    """In quotes a password may contain what would end it elsewhere."""
    shown = redact(f"htpasswd -nb 'the user' {with_secret(quoted, S)} rest")
    assert shown.startswith("htpasswd -nb 'the user' ")
    assert S not in shown
    assert "b" not in shown.replace("-nb", "")
    assert shown.endswith(" rest")


def test_a_name_among_the_arguments_counts_as_one() -> None:
    """The password is where it is, whether the user before it is written as a text or as a name."""
    assert redact(f'run(["htpasswd", "-nb", user, "{S}"])') == 'run(["htpasswd", "-nb", user, "***"])'


@pytest.mark.parametrize(
    "line",
    [
        "htpasswd -c users u", "htpasswd -bc users u", "['htpasswd', '-v', 'users', 'u']", "['net', 'user', '/domain']",
        "htpasswd -D users u and more", "['http', 'network', 'a', 'b']", "['zip', '-r', 'x.zip', 'a']",
    ],
)
def test_a_command_without_a_password_is_left(line: str) -> None:
    """Users, files and options are shown."""
    assert redact(line) == line

import pytest


@pytest.mark.parametrize("name", ["blood", "water"])
def test_a_sample_is_taken(client, name):
    assert client.post(f"/samples/{name}").status_code == 201

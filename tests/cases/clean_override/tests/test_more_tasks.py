from todo.main import app


def test_the_routes(request):
    assert app.url_path_for("add", title="x") == "/tasks/x"

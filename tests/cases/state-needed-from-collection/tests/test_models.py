from orchard.models import Tree  # <- also


def test_a_tree_has_a_name():
    assert Tree(name="russet").name == "russet"

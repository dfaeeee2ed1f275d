def test_there_are_no_cows_yet(herd):
    assert herd == []

def test_there_are_no_cows(herd):
    assert herd == []

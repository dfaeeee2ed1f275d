def test_there_are_no_prices_yet(get):
    assert get() == b"{}"

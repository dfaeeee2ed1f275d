from contextlib import closing

from ledger.store import connect


def test_an_entry_is_written():
    with closing(connect()) as ledger, ledger:
        ledger.execute("create table if not exists entries (amount integer)")
        ledger.execute("insert into entries values (250)")

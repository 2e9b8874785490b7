"""What is put on huge pages is the heap alone, and nothing of it changes."""

from gateway.engines.system.huge_pages import onto_huge_pages, whole_stretches

MAPS = """\
00400000-009f0000 r-xp 0001f000 fe:00 1234                               /usr/bin/python3.11
00be0000-00d27000 r--p 005ff000 fe:00 1234                               /usr/bin/python3.11
01c01000-04e10000 rw-p 00000000 00:00 0                                  [heap]
7f0000300000-7f0000a00000 rw-p 00000000 00:00 0
7f0001000000-7f0001100000 rw-p 00000000 00:00 0
7f0002000000-7f0002800000 rw-s 00000000 fe:00 77                         /data/store.db-shm
7f0003000000-7f0003800000 rw-p 00000000 fe:00 78                         /data/a file of ours (deleted)
7f0004000000-7f0004800000 ---p 00000000 00:00 0
7ffd00000000-7ffd00400000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""


def test_whole_stretches_of_the_heap_alone_are_chosen():
    assert list(whole_stretches(MAPS)) == [
        (0x01E00000, 0x04E00000),
        (0x7F0000400000, 0x7F0000A00000),
    ]


def test_memory_holds_what_it_held():
    filled = bytearray(range(256)) * (32 << 12)
    before = bytes(filled)
    assert onto_huge_pages() >= 0
    assert filled == before

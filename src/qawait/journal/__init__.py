"""The journal: what was sent, what is known of it, and what came back.

It is a directory that only its owner can read. A SQLite file holds every submission and
how far it came, written by one thread, so that many that wait at once share one flush;
results lie beside it in files that only grow. `qawait.read` reads them without a lock,
a network or a token, also while a program is at work.

| file | what it is |
|---|---|
| `journal.sqlite`, `-wal` | submissions, points, and where each result lies |
| `results/000001.seg`, ... | results, packed, one after the other |
| `status.json` | how things stood a second ago, while a program is at work |
| `lock` | held by that program |
| `ballast` | room for the last ids on a disk that is full |
"""

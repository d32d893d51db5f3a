"""`make soak`: the whole system under load and fault, and an audit of every record that was sent.

command.py    the command: what is done, and what it prints
records.py    what is sent, and what must become of each part of it
sender.py     sends it, and remembers what was acknowledged
trouble.py    what goes wrong, and when
server.py     the local AWS in a process that can be killed
evidence.py   reads what is stored
oracle.py     judges what is stored by what was sent: a pure function
"""

from local.soak.command import main

__all__ = ["main"]

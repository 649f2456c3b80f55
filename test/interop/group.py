"""One group of single active consumers, of two clients: each goes on where the one before it stood.

All members join, in order, before anything is published. The first one reads so many messages and leaves, or is killed;
the broker makes the next one active, and that has to begin behind the offset that was stored last.
"""

import os
import queue
import subprocess
import threading
from itertools import accumulate, pairwise

import cases
from peers import PATIENCE

MESSAGES = 100

# (who, how many messages) in the order of joining. The first one finds nothing stored; in the first group, the second
# one a 0.
TURNS = (
    (('ours', 1), ('js', 39), ('ours', 30), ('js', 30)),
    (('js', 30), ('ours', 40), ('js', 1), ('ours', 29)),
)

# The first one is killed when it has read so many, and stored so many of them as done.
READ, DONE = 25, 10
DEATHS = (('ours', 'js'), ('js', 'ours'))


class MemberError(Exception):
    pass


class Member:
    """A running member. Its lines are read as they come, so that one can wait for them no longer than PATIENCE."""

    def __init__(self, peers, who, stream, turn, verb='group'):
        command = {'ours': peers.ours, 'js': peers.js}[who]
        self.who = who
        self.lines = queue.SimpleQueue()
        self.process = subprocess.Popen([*command, verb, peers.uri, stream, 'rstream-interop-group', *turn],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=peers.env)
        self.reader = threading.Thread(target=self.read_lines)
        self.reader.start()

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def line(self):
        """The next line, or None when it has ended. Silence is a line that nobody expects."""
        try:
            return self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            return f'no word for {PATIENCE} s'

    def await_line(self, wanted):
        line = self.line()
        if line != wanted:
            raise MemberError(f'{self.who}: expected {wanted!r}, got {line!r} {self.words()}')

    def offsets(self, last_line=None):
        """What it reads until it says `last_line`, or ends well."""
        offsets = []
        while (line := self.line()) != last_line:
            if not (line or '').isdecimal():
                raise MemberError(f'{self.who}: after {shown(offsets)}: {line!r} {self.words()}')
            offsets.append(int(line))
        if last_line is None and self.process.wait(PATIENCE):
            raise MemberError(f'{self.who}: after {shown(offsets)}: {self.words()}')
        return offsets

    def words(self):
        self.end()
        return self.process.stderr.read().strip()

    def end(self):
        """Kills it if it is still there."""
        self.process.kill()
        self.process.wait()
        self.reader.join()


def shown(offsets):
    return f'{len(offsets)} messages, {offsets[0]} to {offsets[-1]}' if offsets else 'nothing'


def difference(expected, got):
    if got == list(expected):
        return None
    return f'  expected {shown(expected)}\n  got      {shown(got)}: {got}'


def publish(peers, stream):
    messages = [{'body': cases.body(b'%d' % at)} for at in range(MESSAGES)]
    complaint = peers.publish('ours', stream, 'plain', messages)
    if complaint:
        raise MemberError(complaint)


def run_members(peers, stream, turns, read):
    """Starts one after the other; what `read` makes of them once there are messages."""
    members = []
    peers.manage('create', stream)
    try:
        for who, *turn in turns:
            members.append(Member(peers, who, stream, [str(part) for part in turn]))
            members[-1].await_line('joined')
        publish(peers, stream)
        return read(members)
    finally:
        for member in members:
            member.end()
        peers.manage('delete', stream)


def run_turns(peers, turns, stream):
    """(who left, who went on, name of the case, None or a complaint) for each handover."""
    members = [(who, count, count, 'leave') for who, count in turns]
    begins = [0, *accumulate(count for _, count in turns)]
    expected = [range(*ends) for ends in pairwise(begins)]
    try:
        got = run_members(peers, stream, members, lambda all_of_them: [member.offsets() for member in all_of_them])
        complaints = [difference(*both) for both in zip(expected, got)]
    except MemberError as error:
        complaints = [f'  {error}'] * len(turns)
    # What the very first one reads is part of the first handover.
    complaints[1] = complaints[0] or complaints[1]
    for at, ((before, _), (after, _)) in enumerate(pairwise(turns), start=1):
        yield before, after, f'{before} leaves, {after} goes on at {begins[at]}', complaints[at]


def run_death(peers, dying, heir, stream):
    def read(members):
        first, second = members
        offsets = first.offsets(f'stored {DONE - 1}')
        first.end()
        return difference(range(READ), offsets) or difference(range(DONE, MESSAGES), second.offsets())

    members = [(dying, READ, DONE, 'stay'), (heir, MESSAGES - DONE, MESSAGES - DONE, 'leave')]
    try:
        complaint = run_members(peers, stream, members, read)
    except MemberError as error:
        complaint = f'  {error}'
    yield dying, heir, f'{dying} is killed, {heir} goes on at {DONE}', complaint


def run_group(peers):
    stream = f'rstream-interop-{os.getpid()}-group'
    for turns in TURNS:
        yield from run_turns(peers, turns, stream)
    for dying, heir in DEATHS:
        yield from run_death(peers, dying, heir, stream)

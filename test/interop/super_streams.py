"""Super streams shared by two clients: a key goes to the same partition from either, and one group of members of both
reads each partition in order, one of them at a time.
"""

import os
import queue
import signal
import time

from group import Member, MemberError
from peers import PATIENCE, PeerError

KEYS = 10000
PARTITIONS = (3, 7)

# In the order of joining. All that join and leave get their part of the messages before the next one does.
MEMBERS = ('ours', 'js', 'ours')
GROUP_PARTITIONS = 3
ROUND = 300


def keys_of(count):
    """Of every length, ASCII and not."""
    letters = 'aZ9-é日𝄞'
    return [f'{"".join(letters[(at // 7 ** digit) % 7] for digit in range(at % 9))}{at}' for at in range(count)]


class SuperStream:
    def __init__(self, peers, name, partitions):
        self.peers, self.name, self.partitions = peers, f'rstream-interop-{os.getpid()}-{name}', partitions

    def __enter__(self):
        self.call(['super-create'], [str(self.partitions)])
        return self

    def __exit__(self, *_):
        self.call(['super-delete'])

    def call(self, verb, more=(), lines=(), who='ours'):
        command = {'ours': self.peers.ours, 'js': self.peers.js}[who]
        printed, complaint = self.peers.call([*command, *verb, self.peers.uri, self.name, *more], lines)
        if complaint:
            raise PeerError(complaint)
        return printed

    def partition_of(self):
        """By key, as the messages are stored."""
        lines = self.call(['super-read'], [str(KEYS)])
        return {key: partition.rpartition('-')[2] for partition, key in (line.split(' ', 1) for line in lines)}


def route(peers, partitions):
    keys = keys_of(KEYS)
    found = {}
    for who in ('ours', 'js'):
        with SuperStream(peers, f'{who}-{partitions}', partitions) as stream:
            stream.call(['super-publish'], lines=keys, who=who)
            found[who] = stream.partition_of()
    if len(found['ours']) != KEYS or len(set(found['ours'].values())) != partitions:
        return f'  {len(found["ours"])} keys in {len(set(found["ours"].values()))} partitions'
    wrong = [key for key in keys if found['ours'][key] != found['js'].get(key)]
    if wrong:
        return f'  {len(wrong)} of {KEYS} keys, the first {wrong[0]!r}: ours to {found["ours"][wrong[0]]}, ' \
               f'theirs to {found["js"].get(wrong[0])}'
    return None


class SuperMember(Member):
    """What it read is a list of (ns, partition, offset, body)."""

    def __init__(self, peers, who, stream):
        self.messages = []
        super().__init__(peers, who, stream, (), verb='super-group')
        # A partition may be its own before all are.
        while (line := self.line()) != 'joined':
            self.note(line)

    def note(self, line):
        try:
            ns, partition, offset, body = line.split(' ', 3)
            self.messages.append((int(ns), partition, int(offset), body))
        except (AttributeError, ValueError):
            raise MemberError(f'{self.who}: {line!r} {self.words()}') from None
        return body

    def take(self, wanted):
        """What has come, or comes within a moment. What it reads is wanted no more."""
        try:
            line = self.lines.get(timeout=0.02)
            while True:
                wanted.discard(self.note(line))
                line = self.lines.get_nowait()
        except queue.Empty:
            pass

    def partitions_of(self, prefix):
        return {partition for _, partition, _, body in self.messages if body.startswith(prefix)}

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60):
            raise MemberError(f'{self.who} left badly: {self.words()}')


def turns_of(members):
    """By partition: (begin, end, who, offsets) in the order of time. Going back to an offset begins a new turn."""
    turns = {}
    for number, member in enumerate(members):
        for ns, partition, offset, _ in member.messages:
            mine = turns.setdefault((partition, number), [])
            if not mine or mine[-1][3][-1] >= offset:
                mine.append([ns, ns, f'{member.who} {number + 1}', []])
            mine[-1][1] = ns
            mine[-1][3].append(offset)
    by_partition = {}
    for (partition, _), some in turns.items():
        by_partition.setdefault(partition, []).extend(some)
    return {partition: sorted(some) for partition, some in by_partition.items()}


def judge_turns(partition, turns):
    """One at a time, each in order and without a gap, and ours begins behind what ours has finished."""
    # What is stored for a group takes offsets as well, so they are not all messages.
    stored = sorted({offset for *_, offsets in turns for offset in offsets})
    for (_, end, who, _), (begin, _, heir, _) in zip(turns, turns[1:]):
        if who != heir and begin < end:
            return f'  {partition}: {heir} read {(end - begin) / 1e6:.3f} ms before {who} had stopped'
    finished = -1
    for _, _, who, offsets in turns:
        if offsets != [offset for offset in stored if offsets[0] <= offset <= offsets[-1]]:
            return f'  {partition}: {who} read {offsets}'
        if not who.startswith('ours'):
            continue
        wanted = next(offset for offset in stored if offset > finished)
        if offsets[0] != wanted:
            return f'  {partition}: {who} began at {offsets[0]}, not at {wanted}'
        finished = offsets[-1]
    return None


def publish_round(stream, members, name):
    """Publishes messages and waits until each was read by one of the members."""
    wanted = {f'{name}-{at}' for at in range(ROUND)}
    stream.call(['super-publish'], lines=sorted(wanted))
    until = time.monotonic() + PATIENCE
    while wanted:
        for member in members:
            member.take(wanted)
        if time.monotonic() > until:
            raise MemberError(f'{len(wanted)} of {ROUND} messages of round {name} came to nobody')


def let_share(stream, members, number):
    """Rounds until the last one to join has got its part. What it reads in the next one."""
    newest = members[-1]
    until = time.monotonic() + PATIENCE
    while not newest.partitions_of(f'{number}:'):
        if time.monotonic() > until:
            raise MemberError(f'{newest.who} got no partition')
        publish_round(stream, members, f'{number}:')
    publish_round(stream, members, f'{number}=')
    return newest.partitions_of(f'{number}=')


def play_group(peers):
    members, gone = [], []
    with SuperStream(peers, 'group', GROUP_PARTITIONS) as stream:
        try:
            shares = []
            for number, who in enumerate(MEMBERS):
                members.append(SuperMember(peers, who, stream.name))
                shares.append(len(let_share(stream, members, number)))
            gone.append(members.pop(0))
            gone[0].leave()
            publish_round(stream, members, len(MEMBERS))
            complaints = [judge_turns(*turns) for turns in turns_of(gone + members).items()]
            if shares != [3, 1, 1]:
                complaints.append(f'  those who joined read {shares} partitions each')
            return '\n'.join(filter(None, complaints)) or None
        finally:
            for member in gone + members:
                member.end()


def run_super_streams(peers):
    """(name of the case, None or a complaint)"""
    for partitions in PARTITIONS:
        yield f'{KEYS} keys to {partitions} partitions', route(peers, partitions)
    try:
        yield f'three members of two clients share {GROUP_PARTITIONS} partitions', play_group(peers)
    except MemberError as error:
        yield 'three members of two clients', f'  {error}'

"""One writer, one reader: publishes the cases, reads them back, compares."""

import os
from collections import namedtuple

from cases import largest_body
from manifest import format_value
from views import Either, Place

# `cases` gives them for a largest body, `can` tells which of them are theirs, `view` what the reader sees of one.
Direction = namedtuple('Direction', 'writer reader forms cases can view')

LONGEST_SHOWN = 160


def cut(text, alike):
    """What is left of a long text when as many characters as both sides have in common are not shown."""
    if alike > LONGEST_SHOWN // 2:
        text = f'... (after {alike} that agree) {text[alike:]}'
    return text if len(text) <= LONGEST_SHOWN else f'{text[:LONGEST_SHOWN]}... ({len(text)} characters)'


def both_shown(expected, got):
    texts = [' or '.join(text_of(v) or 'nothing' for v in alternatives(value)) for value in (expected, got)]
    alike = len(os.path.commonprefix(texts))
    return (cut(text, alike) for text in texts)


def text_of(value):
    """Values are compared as text: a 0 is no false, and a float the same only with the same bits."""
    return None if value is None else format_value(value)


def alternatives(value):
    return value.values if isinstance(value, Either) else (value,)


def difference(expected, got):
    """None, or both sides of every field that differs."""
    lines = []
    for name in {**expected, **got}:
        if text_of(got.get(name)) not in map(text_of, alternatives(expected.get(name))):
            wanted, came = both_shown(expected.get(name), got.get(name))
            lines.append(f'  {name}\n    expected {wanted}\n    got      {came}')
    return '\n'.join(lines) or None


def stream_name(direction, form):
    return f'rstream-interop-{os.getpid()}-{direction.writer}-{direction.reader}-{form}'


def run_direction(peers, direction, form):
    """(name of the case, None or a complaint) for each."""
    offered = direction.cases(largest_body(direction.writer, form))
    chosen = {name: message for name, message in offered.items() if direction.can(message)}
    stream = stream_name(direction, form)
    peers.manage('create', stream)
    try:
        complaint = peers.publish(direction.writer, stream, form, chosen.values())
        got = []
        if not complaint:
            got, complaint = peers.consume(direction.reader, stream, len(chosen))
    finally:
        peers.manage('delete', stream)
    view = lambda message, at: direction.view(message, Place(at, stream, form))
    return compare(chosen, got, complaint, view)


def compare(chosen, got, complaint, view):
    for at, (name, message) in enumerate(chosen.items()):
        if at < len(got):
            yield name, difference(view(message, at), got[at])
        else:
            yield name, '  did not arrive' + (f': {complaint}' if complaint and at == len(got) else '')

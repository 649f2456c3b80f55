"""Manifests: what a peer published or read, one line of text for each message.

A line is a list of NAME=TYPE:VALUE, separated by spaces:

  body=data:6869 property/message-id=ulong:7 application/answer=int:42 annotation/x-a=symbol:b

Any language reads that with a split or two. README.md in this folder lists names and types.
In Python a message is a dict of names, and a value a tuple (type, value).
"""

import struct
from urllib.parse import quote, unquote

INTEGERS = ('ubyte', 'ushort', 'uint', 'ulong', 'byte', 'short', 'int', 'long', 'char', 'timestamp', 'number')
BYTES = ('data', 'binary', 'uuid', 'decimal32', 'decimal64', 'decimal128')
TEXTS = ('string', 'symbol')
COMPOUNDS = ('list', 'map', 'array')
FLOATS = {'float': '>f', 'double': '>d'}


def format_value(value):
    kind, v = value
    if kind == 'null':
        text = ''
    elif kind == 'boolean':
        text = 'true' if v else 'false'
    elif kind in INTEGERS:
        text = str(v)
    elif kind in BYTES:
        text = v.hex()
    elif kind in TEXTS:
        text = quote(v, safe='')
    elif kind in FLOATS:
        text = struct.pack(FLOATS[kind], v).hex()
    elif kind in COMPOUNDS:
        text = '[' + ','.join(format_value(item) for item in v) + ']'
    else:
        raise ValueError(f'unknown type {kind}')
    return f'{kind}:{text}'


def split_items(text):
    """The items between the brackets of a compound, whose items may have brackets themselves."""
    items, depth, begin = [], 0, 1
    for at, c in enumerate(text):
        if c == '[':
            depth += 1
        elif c == ']':
            depth -= 1
        if at > begin and ((c == ',' and depth == 1) or (c == ']' and depth == 0)):
            items.append(text[begin:at])
            begin = at + 1
    return items


def parse_value(text):
    kind, _, rest = text.partition(':')
    if kind == 'null':
        return kind, None
    if kind == 'boolean':
        return kind, rest == 'true'
    if kind in INTEGERS:
        return kind, int(rest)
    if kind in BYTES:
        return kind, bytes.fromhex(rest)
    if kind in TEXTS:
        return kind, unquote(rest)
    if kind in FLOATS:
        return kind, struct.unpack(FLOATS[kind], bytes.fromhex(rest))[0]
    if kind in COMPOUNDS:
        return kind, [parse_value(item) for item in split_items(rest)]
    raise ValueError(f'unknown type {kind}')


def format_line(message):
    return ' '.join(f'{name}={format_value(value)}' for name, value in message.items())


def parse_line(line):
    fields = (field.partition('=') for field in line.split())
    return {name: parse_value(text) for name, _, text in fields}


def format_key(text, kind, standard):
    """The last part of a name: a key, with its type where that isn't the section's usual one."""
    quoted = quote(str(text), safe='')
    return quoted if kind == standard else f'{kind}:{quoted}'


def parse_key(text, standard):
    kind, colon, rest = text.partition(':')
    if not colon:
        return standard, unquote(text)
    return kind, int(rest) if kind in INTEGERS else unquote(rest)

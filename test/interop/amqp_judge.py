"""AMQP 1.0 messages to and from bytes by Apache Qpid Proton's codec: the third opinion, when ours and
somebody else's differ, and the codec of the AMQP 1.0 peer."""

import struct
import uuid

from manifest import format_key, parse_key
from proton import Data

SECTIONS = {
    0x70: 'header', 0x71: 'delivery-annotation', 0x72: 'annotation', 0x73: 'property',
    0x74: 'application', 0x75: 'data', 0x76: 'sequence', 0x77: 'value', 0x78: 'footer',
}
CODES = {name: code for code, name in SECTIONS.items()}
MAPS = ('delivery-annotation', 'annotation', 'application', 'footer')
FIELDS = {
    'header': ('durable', 'priority', 'ttl', 'first-acquirer', 'delivery-count'),
    'property': ('message-id', 'user-id', 'to', 'subject', 'reply-to', 'correlation-id',
                 'content-type', 'content-encoding', 'absolute-expiry-time', 'creation-time',
                 'group-id', 'group-sequence', 'reply-to-group-id'),
}


def key_type(section):
    return 'string' if section == 'application' else 'symbol'


TYPES = {
    Data.BOOL: 'boolean', Data.UBYTE: 'ubyte', Data.USHORT: 'ushort', Data.UINT: 'uint', Data.ULONG: 'ulong',
    Data.BYTE: 'byte', Data.SHORT: 'short', Data.INT: 'int', Data.LONG: 'long', Data.CHAR: 'char',
    Data.TIMESTAMP: 'timestamp', Data.FLOAT: 'float', Data.DOUBLE: 'double', Data.DECIMAL32: 'decimal32',
    Data.DECIMAL64: 'decimal64', Data.DECIMAL128: 'decimal128', Data.UUID: 'uuid', Data.BINARY: 'binary',
    Data.STRING: 'string', Data.SYMBOL: 'symbol', Data.NULL: 'null', Data.LIST: 'list', Data.MAP: 'map',
    Data.ARRAY: 'array',
}
TYPE_CODES = {name: code for code, name in TYPES.items()}

# How a value of Proton's becomes one of a manifest, and back, where they differ.
FROM_PROTON = {
    'char': ord, 'uuid': lambda u: u.bytes, 'binary': bytes, 'decimal128': bytes,
    'decimal32': lambda d: struct.pack('>I', d), 'decimal64': lambda d: struct.pack('>Q', d),
    'boolean': bool, 'string': str, 'symbol': str, 'float': float, 'double': float,
}
TO_PROTON = {
    'char': chr, 'uuid': lambda b: uuid.UUID(bytes=b),
    'decimal32': lambda b: struct.unpack('>I', b)[0], 'decimal64': lambda b: struct.unpack('>Q', b)[0],
}
GETTERS = {
    kind: getattr(Data, 'get_' + ('bool' if kind == 'boolean' else kind))
    for kind in TYPE_CODES if kind not in ('null', 'list', 'map', 'array')
}
PUTTERS = {kind: getattr(Data, getter.__name__.replace('get_', 'put_')) for kind, getter in GETTERS.items()}


def current(data):
    """The value at the cursor."""
    kind = TYPES[data.type()]
    if kind == 'null':
        return 'null', None
    if kind in ('list', 'map', 'array'):
        items = []
        data.enter()
        while data.next():
            items.append(current(data))
        data.exit()
        return kind, items
    value = GETTERS[kind](data)
    return kind, FROM_PROTON.get(kind, int)(value)


def put(data, value):
    kind, v = value
    if kind == 'null':
        data.put_null()
    elif kind == 'array':
        data.put_array(False, TYPE_CODES[v[0][0]])
        put_items(data, v)
    elif kind in ('list', 'map'):
        getattr(data, 'put_' + kind)()
        put_items(data, v)
    else:
        PUTTERS[kind](data, TO_PROTON.get(kind, lambda same: same)(v))


def put_items(data, items):
    data.enter()
    for item in items:
        put(data, item)
    data.exit()


def read_section(data):
    """(name, value) of the section at the cursor."""
    data.enter()
    data.next()
    name = SECTIONS[data.get_ulong()]
    data.next()
    value = current(data)
    data.exit()
    return name, value


def decode(encoded):
    """A message from its bytes."""
    message = {}
    while encoded:
        data = Data()
        used = data.decode(encoded)
        encoded = encoded[used:]
        data.rewind()
        data.next()
        name, (kind, v) = read_section(data)
        if name in FIELDS:
            message.update({f'{name}/{field}': value for field, value in zip(FIELDS[name], v) if value[0] != 'null'})
        elif name in MAPS:
            for (its_type, its_key), value in zip(v[::2], v[1::2]):
                message[f'{name}/{format_key(its_key, its_type, key_type(name))}'] = value
        elif name == 'data':
            before = message.get('body', ('data', b''))[1]
            message['body'] = ('data', before + v)
        else:
            message[name] = (kind, v)
    return message


def section(name, value):
    data = Data()
    data.put_described()
    data.enter()
    data.put_ulong(CODES[name])
    put(data, value)
    data.exit()
    return data.encode()


def fields_value(message, name):
    values = [message.get(f'{name}/{field}', ('null', None)) for field in FIELDS[name]]
    while values and values[-1][0] == 'null':
        values.pop()
    return 'list', values


def map_value(message, name):
    items = []
    for its_name, value in message.items():
        if its_name.startswith(name + '/'):
            items += [parse_key(its_name.partition('/')[2], key_type(name)), value]
    return 'map', items


def encode(message):
    """The bytes of a message, with the sections in their order."""
    out = b''
    for name in SECTIONS.values():
        if name in FIELDS:
            value = fields_value(message, name)
        elif name in MAPS:
            value = map_value(message, name)
        elif name == 'data' and 'body' in message:
            out += section(name, ('binary', message['body'][1]))
            continue
        elif name in message:
            out += section(name, message[name])
            continue
        else:
            continue
        if value[1]:
            out += section(name, value)
    return out


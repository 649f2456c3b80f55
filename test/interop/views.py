"""What a message looks like after it went from one client to another. Where a line of this file says
anything but "the same", the reason stands beside it."""

from collections import namedtuple

from manifest import INTEGERS

# How many messages our side and the others put in a sub-entry, but for the first, which has one.
SUB_ENTRY_MESSAGES = 4

# Where a message stands: its number in the stream, from 0, the stream's name, and the form (plain, none, gzip).
Place = namedtuple('Place', 'at stream form')

NUMBERS = tuple(kind for kind in INTEGERS if kind not in ('timestamp', 'char'))

# A field that is not the same with every release of the broker; None is its absence.
Either = namedtuple('Either', 'values')

YES, NO = ('boolean', True), ('boolean', False)

# What says nothing about it counts as durable with 4.0, and as not durable with 4.3.
DURABLE_OR_NOT = Either((YES, NO))


def read_by_us(view):
    """The view of a writer, as our library shows it."""
    return lambda message, place: {'offset': ('number', place.at), **view(message, place)}


def same(message, _place):
    return message


# rabbitmq-stream-js-client as a reader: JavaScript knows numbers, not their types.

def js_value(value):
    kind, v = value
    if kind == 'null':
        return 'number', 0  # its reader of values makes nothing of a null but a 0
    if kind in NUMBERS:
        return 'number', v
    if kind == 'symbol':
        return 'string', v
    return value


def read_by_js(message, place):
    view = {name: value if name == 'body' else js_value(value) for name, value in message.items()}
    # It counts from 0 in each sub-entry, whatever the offset of its chunk.
    offset = place.at if place.form == 'plain' or place.at == 0 else (place.at - 1) % SUB_ENTRY_MESSAGES
    return {'offset': ('number', offset), **view}


def js_can_read_value(value):
    kind, v = value
    if kind in ('ubyte', 'uint', 'int', 'boolean', 'string', 'symbol'):
        return True
    return kind == 'ulong' and not 128 <= v <= 255


def js_can_read(message):
    """Without the cases of its own faults, which are in js_faults.py."""
    for name, value in message.items():
        section, _, field = name.partition('/')
        kind, v = value
        if section == 'application' and not (js_can_read_value(value) and v):
            return False
        if section == 'annotation' and not (kind == 'null' or js_can_read_value(value)):
            return False
        if field in ('message-id', 'correlation-id') and not js_can_read_value(value):
            return False
        if field == 'group-sequence' and v < 256:
            return False
        if section == 'value' and kind != 'string':
            return False
        if section in ('sequence', 'delivery-annotation', 'footer'):
            return False
    return True


# rabbitmq-stream-js-client as a writer.

def js_can_write(message):
    """Strings, numbers of 32 bits, and ubytes in annotations."""
    for name, (kind, v) in message.items():
        section, _, field = name.partition('/')
        if section in ('application', 'annotation'):
            if kind not in ('string', 'int') and (section, kind) != ('annotation', 'ubyte'):
                return False
        elif section == 'property':
            if field in ('message-id', 'correlation-id') and kind != 'string':
                return False
            if kind == 'timestamp' and v < 0:
                return False
        elif section != 'body':
            return False
    return True


def written_by_js(message, _place):
    view = {}
    for name, value in message.items():
        section, _, field = name.partition('/')
        if section == 'annotation':
            name = f'annotation/string:{field}'  # it writes keys of annotations as strings, which should be symbols
        nothing = section != 'body' and value[0] != 'ubyte' and not value[1]
        if nothing and section == 'property':
            continue  # to it, 0 and "" are no values
        view[name] = ('null', None) if nothing else value
    return view


# The broker's conversion of AMQP 1.0 into AMQP 0-9-1, as pika shows it.

def pika_value(value):
    kind, v = value
    if kind in ('byte', 'ubyte'):
        # pika 1.2 takes the signed byte for the unsigned one, and the other way round.
        return 'number', v + 256 if v < 0 else v - 256 if v > 127 else v
    if kind == 'long' or kind == 'ulong':
        return 'number', v % 2**64  # and the signed 64-bit integer for an unsigned one
    if kind in ('float', 'double'):
        return 'number', int(v)  # and cuts off what is behind the point
    if kind in NUMBERS:
        return 'number', v
    if kind == 'symbol':
        return 'string', v
    if value == ('binary', b''):
        return 'string', ''  # how it comes from the broker
    if kind == 'timestamp':
        return 'timestamp', v // 1000
    if kind == 'list':
        return 'list', [pika_value(item) for item in v]
    if kind == 'map':
        keys = [('string', name) for _, name in v[::2]]
        return 'map', [part for pair in zip(keys, map(pika_value, v[1::2])) for part in pair]
    return value


def uuid_urn(v):
    h = v.hex()
    return f'urn:uuid:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}'


def put_basic_id(view, name, value):
    kind, v = value
    if kind == 'binary' or (kind == 'string' and len(v.encode()) > 255):
        view[f'basic-header/x-{name}'] = value  # no short string can hold it
    else:
        view[f'basic/{name}'] = ('string', uuid_urn(v) if kind == 'uuid' else str(v))


BASIC_STRINGS = {'user-id': 'user-id', 'reply-to': 'reply-to', 'content-type': 'content-type',
                 'content-encoding': 'content-encoding', 'group-id': 'app-id'}


def put_basic_property(view, field, value):
    kind, v = value
    if field in ('message-id', 'correlation-id'):
        put_basic_id(view, field, value)
    elif field in BASIC_STRINGS:
        view['basic/' + BASIC_STRINGS[field]] = ('string', v.decode() if kind == 'binary' else v)
    elif field == 'creation-time':
        view['basic/timestamp'] = ('number', v // 1000 % 2**64)  # seconds, unsigned
    # The others have no counterpart and are dropped.


def put_basic_header(view, field, value):
    if field == 'durable':
        view['basic/delivery-mode'] = ('number', 2 if value[1] else 1)
    elif field == 'priority':
        view['basic/priority'] = ('number', value[1])
    elif field == 'ttl':
        view['basic/expiration'] = ('string', str(value[1]))


def read_by_pika(message, place):
    view = {
        'basic/exchange': ('string', ''), 'basic/routing-key': ('string', place.stream),
        'basic/delivery-mode': Either((('number', 2), None)),  # likewise
        'basic-header/x-stream-offset': ('number', place.at),
    }
    for name, value in message.items():
        section, _, field = name.partition('/')
        if section == 'property':
            put_basic_property(view, field, value)
        elif section == 'header':
            put_basic_header(view, field, value)
        elif section in ('application', 'annotation'):
            view[f'basic-header/{field}'] = pika_value(value)
        elif section == 'body':
            view['body'] = value
    return view


def broker_can_convert(message):
    """The broker's reader for AMQP 0-9-1 has no clause for some types and ends with an internal error."""
    def bad(value):
        kind, v = value
        if kind in ('list', 'map'):
            return any(bad(item) for item in v)
        return kind in ('uuid', 'char', 'decimal32', 'decimal64', 'decimal128', 'array')

    names = [name for name, value in message.items() if name.startswith(('application/', 'annotation/')) and bad(value)]
    return not names and 'value' not in message and 'sequence' not in message


# The broker's conversion of AMQP 0-9-1 into the AMQP 1.0 that a stream stores.

BROKERS_HEADER = {'header/first-acquirer': YES, 'header/delivery-count': ('uint', 0)}

def amqp_value(value):
    kind, v = value
    if kind == 'number':
        return ('int' if -2**31 <= v < 2**31 else 'long'), v
    if kind == 'timestamp':
        return 'timestamp', v * 1000
    if kind == 'list':
        return 'list', [amqp_value(item) for item in v]
    if kind == 'map':
        keys = [('symbol', name) for _, name in v[::2]]
        return 'map', [part for pair in zip(keys, map(amqp_value, v[1::2])) for part in pair]
    return value


URN = 'urn:uuid:'
FROM_BASIC = {
    'content-type': ('property/content-type', lambda v: ('symbol', v)),
    'content-encoding': ('property/content-encoding', lambda v: ('symbol', v)),
    'priority': ('header/priority', lambda v: ('ubyte', v)),
    'correlation-id': ('property/correlation-id', lambda v: ('string', v)),
    'reply-to': ('property/reply-to', lambda v: Either((('string', v), ('string', '/queues/' + v)))),  # 4.0, 4.3
    'expiration': ('header/ttl', lambda v: ('uint', int(v))),
    'message-id': ('property/message-id', lambda v: ('uuid', bytes.fromhex(v[len(URN):].replace('-', '')))
                   if v.startswith(URN) else ('string', v)),
    'timestamp': ('property/creation-time', lambda v: ('timestamp', v * 1000)),
    'type': ('annotation/x-basic-type', lambda v: ('string', v)),
    'user-id': ('property/user-id', lambda v: ('binary', v.encode())),
    'app-id': ('property/group-id', lambda v: ('string', v)),
    'delivery-mode': ('header/durable', lambda v: ('boolean', v == 2)),
}


def written_by_pika(message, place):
    view = {
        'header/durable': NO, **BROKERS_HEADER,
        'annotation/x-exchange': ('string', ''), 'annotation/x-routing-key': ('string', place.stream),
    }
    for name, value in message.items():
        section, _, field = name.partition('/')
        if section == 'basic':
            new_name, convert = FROM_BASIC[field]
            view[new_name] = convert(value[1])
        elif section == 'basic-header' and field.startswith('x-'):
            view[f'annotation/{field}'] = amqp_value(value)
        elif section == 'basic-header' and value[0] not in ('list', 'map'):
            view[f'application/{field}'] = amqp_value(value)
        elif section == 'body':
            view['body'] = value
    return view


# AMQP 1.0: the message as it is, with what the broker adds for everybody.

def broker_can_pass_on(message):
    """The broker writes annotations anew, and can't write these."""
    unwritable = ('null', 'decimal32', 'decimal64', 'decimal128')
    return not any(name.startswith('annotation/') and kind in unwritable for name, (kind, _) in message.items())


def read_over_amqp(message, place):
    return {
        'header/durable': DURABLE_OR_NOT, **BROKERS_HEADER,
        'annotation/x-exchange': ('string', ''), 'annotation/x-routing-key': ('string', place.stream),
        'annotation/x-stream-offset': ('long', place.at),
        **message,
    }


def written_over_amqp(message, place):
    return {
        'header/durable': DURABLE_OR_NOT, **BROKERS_HEADER,
        'annotation/x-exchange': ('string', ''), 'annotation/x-routing-key': ('string', place.stream),
        **message,
    }


def everything(_message):
    return True

"""The messages that go back and forth. Each has a name, and is a dict as manifest.py describes."""

import struct

FRAME = 1048576  # what the broker offers as the largest frame

# Bytes of a frame around one body: Publish up to its entries, the entry's own, the data section's.
PUBLISH_HEAD = 9
PLAIN_OVERHEAD = PUBLISH_HEAD + 12 + 8
SUB_ENTRY_OVERHEAD = PUBLISH_HEAD + 8 + 11 + 4 + 8


def pattern(size):
    return bytes((at * 31 + size) & 255 for at in range(size))


def body(content):
    return 'data', content


def largest_body(writer, form):
    """The largest of one that just fits a frame, in single messages or in a sub-entry of its own."""
    size = FRAME - (PLAIN_OVERHEAD if form == 'plain' else SUB_ENTRY_OVERHEAD)
    # rabbitmq-stream-js-client counts the length of the frame among its bytes.
    return size - 4 if writer == 'js' else size


def bodies(largest):
    """The largest comes first, where it has a sub-entry of its own."""
    sizes = (largest, 0, 1, 255, 256, 65535, 65536)
    return {f'body of {size}': {'body': body(pattern(size))} for size in sizes}


def f32(v):
    return 'float', struct.unpack('>f', struct.pack('>f', v))[0]


UUID = bytes.fromhex('00112233445566778899aabbccddeeff')
NOW = 1700000001234

# One property alone, so that what is absent before and behind it matters too.
PROPERTIES = {
    'message-id string': ('message-id', ('string', 'an id, with € in it')),
    'message-id long string': ('message-id', ('string', 'i' * 300)),
    'message-id ulong 0': ('message-id', ('ulong', 0)),
    'message-id ulong 7': ('message-id', ('ulong', 7)),
    'message-id ulong 200': ('message-id', ('ulong', 200)),
    'message-id ulong 2^63': ('message-id', ('ulong', 2**63)),
    'message-id uuid': ('message-id', ('uuid', UUID)),
    'message-id binary': ('message-id', ('binary', b'\x00\xff\x01')),
    'user-id': ('user-id', ('binary', b'guest')),
    'to': ('to', ('string', 'somewhere')),
    'subject': ('subject', ('string', 'a subject')),
    'reply-to': ('reply-to', ('string', 'an address')),
    'correlation-id string': ('correlation-id', ('string', 'another')),
    'correlation-id ulong 2^40': ('correlation-id', ('ulong', 2**40)),
    'correlation-id uuid': ('correlation-id', ('uuid', UUID)),
    'correlation-id binary': ('correlation-id', ('binary', b'\xfe\x00')),
    'content-type': ('content-type', ('symbol', 'application/json')),
    'content-encoding': ('content-encoding', ('symbol', 'gzip')),
    'absolute-expiry-time': ('absolute-expiry-time', ('timestamp', NOW + 86400000)),
    'creation-time': ('creation-time', ('timestamp', NOW)),
    'creation-time before 1970': ('creation-time', ('timestamp', -1000)),
    'group-id': ('group-id', ('string', 'a group')),
    'group-sequence 0': ('group-sequence', ('uint', 0)),
    'group-sequence 9': ('group-sequence', ('uint', 9)),
    'group-sequence 2^32-1': ('group-sequence', ('uint', 2**32 - 1)),
    'reply-to-group-id': ('reply-to-group-id', ('string', 'its group')),
}

ALL_PROPERTIES = {
    'message-id': ('string', 'id'), 'user-id': ('binary', b'guest'), 'to': ('string', 'to'),
    'subject': ('string', 'subject'), 'reply-to': ('string', 'reply'), 'correlation-id': ('string', 'correlation'),
    'content-type': ('symbol', 'text/plain'), 'content-encoding': ('symbol', 'identity'),
    'absolute-expiry-time': ('timestamp', NOW + 1000), 'creation-time': ('timestamp', NOW),
    'group-id': ('string', 'group'), 'group-sequence': ('uint', 70000), 'reply-to-group-id': ('string', 'back'),
}

# Values of application properties, at the places where a type changes its encoding.
VALUES = {
    'null': ('null', None),
    'true': ('boolean', True),
    'false': ('boolean', False),
    'ubyte 0': ('ubyte', 0),
    'ubyte 255': ('ubyte', 255),
    'ushort 65535': ('ushort', 65535),
    'uint 0': ('uint', 0),
    'uint 255': ('uint', 255),
    'uint 256': ('uint', 256),
    'uint 2^32-1': ('uint', 2**32 - 1),
    'ulong 0': ('ulong', 0),
    'ulong 100': ('ulong', 100),
    'ulong 255': ('ulong', 255),
    'ulong 256': ('ulong', 256),
    'ulong 2^64-1': ('ulong', 2**64 - 1),
    'byte -128': ('byte', -128),
    'short -32768': ('short', -32768),
    'int 0': ('int', 0),
    'int -1': ('int', -1),
    'int 127': ('int', 127),
    'int 128': ('int', 128),
    'int -2^31': ('int', -2**31),
    'long 127': ('long', 127),
    'long -129': ('long', -129),
    'long 2^63-1': ('long', 2**63 - 1),
    'float': f32(-2.75),
    'double': ('double', 0.1),
    'decimal32': ('decimal32', bytes.fromhex('22500001')),
    'decimal64': ('decimal64', bytes.fromhex('2238000000000001')),
    'decimal128': ('decimal128', bytes.fromhex('22080000000000000000000000000001')),
    'char': ('char', 0x1f600),
    'timestamp': ('timestamp', NOW),
    'uuid': ('uuid', UUID),
    'binary': ('binary', pattern(40)),
    'binary of 256': ('binary', pattern(256)),
    'empty binary': ('binary', b''),
    'string': ('string', 'grüße'),
    'string of 255': ('string', 's' * 255),
    'string of 256': ('string', 's' * 256),
    'empty string': ('string', ''),
    'symbol': ('symbol', 'sign'),
}

NESTED = ('list', [
    ('int', 1), ('string', 'two'), ('list', []),
    ('map', [('symbol', 'k'), ('list', [('boolean', True), ('null', None)])]),
])
LARGE_LIST = ('list', [('int', at) for at in range(300)])

# Compounds occur in annotations, but not in application properties.
COMPOUNDS = {
    'list': NESTED,
    'list of 300': LARGE_LIST,
    'map': ('map', [('symbol', 'a'), ('int', 1), ('symbol', 'b'), ('string', 'c')]),
}
ARRAY = ('array', [('int', 1), ('int', -1), ('int', 100000)])

MIXED = {
    'header/durable': ('boolean', True), 'header/priority': ('ubyte', 5),
    'annotation/x-note': ('string', 'a'),
    **{f'property/{name}': value for name, value in ALL_PROPERTIES.items()},
    'application/one': ('int', 1), 'application/two': ('string', '2'),
}


def property_cases():
    return {name: {f'property/{field}': value, 'body': body(b'x')} for name, (field, value) in PROPERTIES.items()}


def application_cases():
    return {f'application {name}': {'application/key': value, 'body': body(b'x')} for name, value in VALUES.items()}


def annotation_cases():
    values = {**VALUES, **COMPOUNDS}
    return {f'annotation {name}': {'annotation/x-key': value, 'body': body(b'x')} for name, value in values.items()}


def header_cases():
    return {
        'header durable': {'header/durable': ('boolean', True), 'body': body(b'x')},
        'header not durable': {'header/durable': ('boolean', False), 'body': body(b'x')},
        'header of all': {
            'header/durable': ('boolean', True), 'header/priority': ('ubyte', 9), 'header/ttl': ('uint', 60000),
            'header/first-acquirer': ('boolean', True), 'header/delivery-count': ('uint', 0), 'body': body(b'x'),
        },
    }


def together_cases():
    many = {f'application/key-{at}': ('string', f'value {at}') for at in range(300)}
    return {
        'all properties': {**{f'property/{k}': v for k, v in ALL_PROPERTIES.items()}, 'body': body(b'x')},
        'all kinds': {**MIXED, 'body': body(pattern(1000))},
        '300 application properties': {**many, 'body': body(b'x')},
        'application key of 255': {'application/' + 'k' * 255: ('int', 1), 'body': body(b'x')},
    }


def value_cases():
    return {
        'amqp-value string': {'value': ('string', 'text')},
        'amqp-value int': {'value': ('int', 42)},
        'amqp-value map': {'value': COMPOUNDS['map']},
        'amqp-sequence': {'sequence': NESTED},
    }


def codec_cases():
    """What only a look at the bytes can judge: the broker would add to them or take away."""
    return {
        'no body': {'property/subject': ('string', 'nothing')},
        'delivery annotation': {'delivery-annotation/x-way': ('int', 1), 'body': body(b'x')},
        'footer': {'body': body(b'x'), 'footer/x-sum': ('uint', 77)},
        'annotation array': {'annotation/x-key': ARRAY, 'body': body(b'x')},
        'annotation with ulong key': {'annotation/ulong:5': ('string', 'v'), 'body': body(b'x')},
    }


def all_cases(largest):
    return {
        **bodies(largest), **header_cases(), **annotation_cases(), **property_cases(), **application_cases(),
        **together_cases(), **value_cases(),
    }


def basic_cases(largest):
    """Messages of AMQP 0-9-1, with what pika can put into them."""
    one = {
        'content-type': ('string', 'text/plain'), 'content-encoding': ('string', 'identity'),
        'delivery-mode': ('number', 2), 'priority': ('number', 5), 'correlation-id': ('string', 'correlation'),
        'reply-to': ('string', 'reply'), 'expiration': ('string', '60000'), 'message-id': ('string', 'id'),
        'timestamp': ('number', NOW // 1000), 'type': ('string', 'a type'), 'user-id': ('string', 'guest'),
        'app-id': ('string', 'an application'),
    }
    headers = {
        'null': ('null', None), 'true': ('boolean', True), 'false': ('boolean', False), 'int': ('number', -5),
        'long': ('number', 5 * 2**40), 'timestamp': ('timestamp', NOW // 1000), 'binary': ('binary', pattern(40)),
        'string': ('string', 'grüße'), 'empty string': ('string', ''), 'string of 256': ('string', 's' * 256),
        'x-list': ('list', [('number', 1), ('string', 'z'), ('list', [])]),
        'x-map': ('map', [('string', 'k'), ('string', 'v'), ('string', 'n'), ('null', None)]),
        'x-string': ('string', 's'), 'x-int': ('number', 7),
        'list is dropped': ('list', [('number', 1)]),
    }
    urn = 'urn:uuid:00112233-4455-6677-8899-aabbccddeeff'
    return {
        **bodies(largest),
        **{f'basic {name}': {f'basic/{name}': value, 'body': body(b'x')} for name, value in one.items()},
        **{f'header {name}': {f'basic-header/{name.replace(" ", "-")}': value, 'body': body(b'x')}
           for name, value in headers.items()},
        'basic message-id of a uuid': {'basic/message-id': ('string', urn), 'body': body(b'x')},
        'all of basic': {**{f'basic/{name}': value for name, value in one.items()}, 'body': body(b'x')},
    }

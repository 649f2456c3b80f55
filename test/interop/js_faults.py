"""Messages that rabbitmq-stream-js-client reads wrongly: that the fault is its own, and is still there.

Each is published by us to a stream of its own. Proton's codec has to find in the stored bytes what was meant, and
the client has to fail, or to show something else. A case that it reads rightly is a complaint: a newer release has
mended it, and the case belongs to the others.
"""

import cases
import views
from direction import Direction, run_direction

X = {'body': cases.body(b'x')}


def application(value):
    return {'application/key': value, **X}


FAULTS = {
    'a value of 0 in application properties: throws': application(('int', 0)),
    'false in application properties: throws': application(('boolean', False)),
    'an empty string in application properties: throws': application(('string', '')),
    'a null in application properties: throws': application(('null', None)),
    'an unsigned long from 128 to 255: read as signed': application(('ulong', 200)),
    'a short: throws': application(('short', -2)),
    'a long: throws': application(('long', -2)),
    'a double: throws': application(('double', 0.5)),
    'a timestamp: throws': application(('timestamp', 1)),
    'a uuid: throws': application(('uuid', cases.UUID)),
    'a binary: reads its length as the value, its bytes as what follows': application(('binary', b'\xff\xff\xff')),
    'a uuid as message-id: throws': {'property/message-id': ('uuid', cases.UUID), **X},
    'a binary as message-id: as above': {'property/message-id': ('binary', b'\xff\xff\xff'), **X},
    'a group-sequence in one byte: reads four': {'property/group-sequence': ('uint', 9), **X},
    'a list in annotations: reads its count as the value': {'annotation/x-key': cases.NESTED, **X},
    'a footer: throws': {**X, 'footer/x-sum': ('uint', 1)},
    'an amqp-sequence: throws': {'sequence': cases.NESTED},
}


def run_js_faults(peers):
    for name, message in FAULTS.items():
        yield name, fault_is_theirs(peers, message)


def fault_is_theirs(peers, message):
    def read_by(reader, view):
        direction = Direction('ours', reader, ('plain',), lambda _: {'it': message}, views.everything, view)
        return next(iter(run_direction(peers, direction, 'plain')))[1]

    complaint = read_by('codec', views.same)
    if complaint:
        return complaint
    if not read_by('js', views.read_by_js):
        return '  it reads this rightly; views.js_can_read may count it in'
    return None

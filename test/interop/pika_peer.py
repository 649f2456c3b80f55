#!/usr/bin/python3 -B
"""The peer pika: publishes or reads a manifest over AMQP 0-9-1, with the stream as a queue.

  pika_peer.py publish AMQP_URI STREAM        < manifest
  pika_peer.py consume AMQP_URI STREAM COUNT  > manifest

Its messages have names of their own, as AMQP 0-9-1 has other properties than AMQP 1.0:
basic/content-type, basic/timestamp ..., basic-header/KEY, and body.
"""

import sys
from datetime import datetime, timezone

import pika
from manifest import format_key, format_line, parse_key, parse_line

PROPERTIES = ('content_type', 'content_encoding', 'delivery_mode', 'priority', 'correlation_id', 'reply_to',
              'expiration', 'message_id', 'timestamp', 'type', 'user_id', 'app_id', 'cluster_id')


def to_pika(value):
    kind, v = value
    if kind == 'timestamp':
        return datetime.fromtimestamp(v, timezone.utc)
    if kind == 'list':
        return [to_pika(item) for item in v]
    if kind == 'map':
        return {v[at][1]: to_pika(v[at + 1]) for at in range(0, len(v), 2)}
    return v


def from_pika(v):
    if v is None:
        return 'null', None
    if isinstance(v, bool):
        return 'boolean', v
    if isinstance(v, int):
        return 'number', int(v)
    if isinstance(v, bytes):
        return 'binary', v
    if isinstance(v, datetime):
        return 'timestamp', int(v.replace(tzinfo=timezone.utc).timestamp())
    if isinstance(v, list):
        return 'list', [from_pika(item) for item in v]
    if isinstance(v, dict):
        return 'map', [part for k, item in v.items() for part in (('string', k), from_pika(item))]
    return 'string', v


def parse_message(line):
    message = parse_line(line)
    basic, headers = {}, {}
    for name, value in message.items():
        section, _, rest = name.partition('/')
        if section == 'basic':
            basic[rest.replace('-', '_')] = value[1]
        elif section == 'basic-header':
            headers[parse_key(rest, 'string')[1]] = to_pika(value)
        elif section != 'body':
            raise ValueError(f"AMQP 0-9-1 can't express {name}")
    return message['body'][1], pika.BasicProperties(headers=headers or None, **basic)


def format_message(method, properties, body):
    message = {'basic/exchange': ('string', method.exchange), 'basic/routing-key': ('string', method.routing_key)}
    for name in PROPERTIES:
        value = getattr(properties, name)
        if value is not None:
            message['basic/' + name.replace('_', '-')] = from_pika(value)
    for name, value in (properties.headers or {}).items():
        message['basic-header/' + format_key(name, 'string', 'string')] = from_pika(value)
    message['body'] = ('data', body)
    return format_line(message)


def publish(channel, stream):
    channel.queue_declare(stream, durable=True, arguments={'x-queue-type': 'stream'})
    channel.confirm_delivery()
    for line in sys.stdin:
        body, properties = parse_message(line)
        channel.basic_publish('', stream, body, properties, mandatory=True)


def consume(channel, stream, count):
    left = int(count)
    channel.basic_qos(prefetch_count=100)
    for method, properties, body in channel.consume(stream, arguments={'x-stream-offset': 'first'}):
        print(format_message(method, properties, body))
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if left == 0:
            break


def main():
    verb, uri, *rest = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(uri.split(',')[0]))
    {'publish': publish, 'consume': consume}[verb](connection.channel(), *rest)
    connection.close()


main()

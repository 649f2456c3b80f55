#!/usr/bin/python3 -B
"""The peer Apache Qpid Proton: publishes or reads a manifest over AMQP 1.0, with the stream as a queue.

  proton_peer.py publish AMQP_URI STREAM        < manifest
  proton_peer.py consume AMQP_URI STREAM COUNT  > manifest

Messages go in and out as bytes, encoded and decoded by Proton's codec: its class Message does not tell every
type from every other.
"""

import sys
from urllib.parse import quote, unquote, urlsplit

import amqp_judge
from manifest import format_line, parse_line
from proton import Delivery, Described, symbol
from proton.handlers import IncomingMessageHandler, MessagingHandler
from proton.reactor import Container, Filter

OFFSET = 'rabbitmq:stream-offset-spec'


class RawReceiver(IncomingMessageHandler):
    """Hands out deliveries as the bytes they are."""

    def on_delivery(self, event):
        delivery = event.delivery
        if delivery.link.is_receiver and delivery.readable and not delivery.partial:
            encoded = delivery.link.recv(delivery.pending)
            delivery.link.advance()
            self.delegate.on_encoded(event, encoded)
            delivery.update(Delivery.ACCEPTED)
            delivery.settle()


class Peer(MessagingHandler):
    def __init__(self, uri, stream):
        super().__init__()
        self.handlers = [RawReceiver(delegate=self) if isinstance(h, IncomingMessageHandler) else h for h in self.handlers]
        self.uri = urlsplit(uri.split(',')[0])
        self.address = '/queues/' + quote(stream, safe='')
        self.failed = 'the connection ended early'

    def on_start(self, event):
        at = self.uri
        connection = event.container.connect(
            f'amqp://{at.hostname}:{at.port or 5672}', user=unquote(at.username), password=unquote(at.password),
            virtual_host='vhost:' + (unquote(at.path[1:]) or '/'), allowed_mechs='PLAIN', reconnect=False)
        self.open_link(event.container, connection)

    def finish(self, event):
        self.failed = None
        event.connection.close()

    def fail(self, event, why):
        self.failed = str(why)
        event.container.stop()

    def on_transport_error(self, event):
        self.fail(event, event.transport.condition)

    def on_link_error(self, event):
        self.fail(event, event.link.remote_condition)

    def on_session_error(self, event):
        self.fail(event, event.session.remote_condition)

    def on_connection_error(self, event):
        self.fail(event, event.connection.remote_condition)


class Publisher(Peer):
    def __init__(self, uri, stream):
        super().__init__(uri, stream)
        self.messages = [amqp_judge.encode(parse_line(line)) for line in sys.stdin]
        self.sent = self.accepted = 0

    def open_link(self, container, connection):
        container.create_sender(connection, self.address)

    def on_sendable(self, event):
        sender = event.sender
        while sender.credit and self.sent < len(self.messages):
            sender.delivery(str(self.sent))
            sender.stream(self.messages[self.sent])
            sender.advance()
            self.sent += 1

    def on_accepted(self, event):
        self.accepted += 1
        if self.accepted == len(self.messages):
            self.finish(event)

    def on_rejected(self, event):
        self.fail(event, f'message {event.delivery.tag} was rejected')


class Consumer(Peer):
    def __init__(self, uri, stream, count):
        super().__init__(uri, stream)
        self.left = int(count)

    def open_link(self, container, connection):
        first = Filter({symbol(OFFSET): Described(symbol(OFFSET), 'first')})
        container.create_receiver(connection, self.address, options=first)

    def on_encoded(self, event, encoded):
        if self.left:
            print(format_line(amqp_judge.decode(encoded)))
            self.left -= 1
            if self.left == 0:
                self.finish(event)


def main():
    verb, *rest = sys.argv[1:]
    peer = {'publish': Publisher, 'consume': Consumer}[verb](*rest)
    Container(peer).run()
    if peer.failed:
        sys.exit(f'proton: {peer.failed}')


main()

"""The programs that publish and read manifests: ours and the counterparts."""

import os
import subprocess
import tempfile

import amqp_judge
from manifest import format_line, parse_line
from proton import DataException

HERE = os.path.dirname(os.path.abspath(__file__))

# Seconds for a whole manifest. A peer that lost a message would wait for ever.
PATIENCE = 60


class PeerError(Exception):
    pass


def encoded_line(message):
    return format_line({'body': ('data', amqp_judge.encode(message))})


def decoded_message(line):
    """Of what we read: the message as Proton's codec finds it in the stored bytes."""
    return amqp_judge.decode(parse_line(line)['body'][1])


class Peers:
    def __init__(self, build, uri, amqp_uri):
        python = lambda name: ['/usr/bin/python3', '-B', os.path.join(HERE, name)]
        self.ours = [os.path.join(build, 'rstream-interop')]
        self.js = ['node', os.path.join(HERE, 'js_peer.js')]
        self.amqp = {'pika': python('pika_peer.py'), 'proton': python('proton_peer.py')}
        self.uri, self.amqp_uri = uri, amqp_uri
        self.env = {**os.environ, 'NODE_PATH': os.path.join(os.path.abspath(build), 'interop', 'node_modules')}

    def call(self, command, lines=()):
        """Runs a peer; what it printed, and a complaint or None."""
        with tempfile.TemporaryFile('w+') as given:
            given.writelines(line + '\n' for line in lines)
            given.seek(0)
            try:
                done = subprocess.run(command, stdin=given, capture_output=True, text=True, env=self.env,
                                      timeout=PATIENCE, check=False)
            except subprocess.TimeoutExpired as late:
                whole = (late.stdout or b'').rpartition(b'\n')[0]  # the last line may have been cut off
                return whole.decode().splitlines(), f'no end after {PATIENCE} s'
        complaint = None
        if done.returncode:
            words = done.stderr.strip() or 'no word about it'
            complaint = f'{os.path.basename(command[-1 if len(command) < 2 else 1])} ended with {done.returncode}: {words}'
        return done.stdout.splitlines(), complaint

    def manage(self, verb, stream):
        _, complaint = self.call([*self.ours, verb, self.uri, stream])
        if complaint:
            raise PeerError(complaint)

    def publish(self, writer, stream, form, messages):
        """Publishes; None, or what went wrong."""
        codec = 'amqp'
        lines = [format_line(message) for message in messages]
        if writer == 'codec':
            codec, lines = 'raw', [encoded_line(message) for message in messages]
        if writer in ('ours', 'codec'):
            command = [*self.ours, 'publish', self.uri, stream, codec, form]
        elif writer == 'js':
            command = [*self.js, 'publish', self.uri, stream, form]
        else:
            command = [*self.amqp[writer], 'publish', self.amqp_uri, stream]
        return self.call(command, lines)[1]

    def consume(self, reader, stream, count):
        """Reads; the messages, and None or what went wrong."""
        if reader in ('ours', 'codec'):
            command = [*self.ours, 'consume', self.uri, stream, str(count), 'amqp' if reader == 'ours' else 'raw']
        elif reader == 'js':
            command = [*self.js, 'consume', self.uri, stream, str(count)]
        else:
            command = [*self.amqp[reader], 'consume', self.amqp_uri, stream, str(count)]
        lines, complaint = self.call(command)
        messages = []
        for line in lines:
            try:
                messages.append(decoded_message(line) if reader == 'codec' else parse_line(line))
            except (ValueError, DataException) as error:
                return messages, f'{error} in what it printed: {line[:160]}'
        return messages, complaint

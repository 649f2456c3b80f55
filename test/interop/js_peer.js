// The peer rabbitmq-stream-js-client: publishes or reads a manifest (see manifest.py).
//
//   js_peer.js publish URI STREAM plain|none|gzip < manifest
//   js_peer.js consume URI STREAM COUNT           > manifest
//   js_peer.js group URI STREAM NAME COUNT DONE leave|stay > offsets, see group.py
//
// What it reads is told as JavaScript sees it: whatever number it was is a "number".
"use strict";
const fs = require("node:fs");
const rabbit = require("rabbitmq-stream-js-client");
// Its calls take these, but its front does not hand them out.
const { AmqpByte } = require("rabbitmq-stream-js-client/dist/publisher");
const { CompressionType } = require("rabbitmq-stream-js-client/dist/compression");

// The first sub-entry has one message, which may be as large as a frame, the others so many.
const SUB_ENTRY_MESSAGES = 4;

const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: console.error };

function connect(uri) {
  const at = new URL(uri.split(",")[0]);
  return rabbit.connect(
    {
      hostname: at.hostname,
      port: Number(at.port || 5552),
      username: decodeURIComponent(at.username),
      password: decodeURIComponent(at.password),
      vhost: decodeURIComponent(at.pathname.slice(1)) || "/",
    },
    logger
  );
}

const camel = (name) => name.replace(/-(.)/g, (_, c) => c.toUpperCase());
const dashed = (name) => name.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase());

// Manifest to JavaScript.
function value(text) {
  const colon = text.indexOf(":");
  const [type, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  switch (type) {
    case "string":
    case "symbol":
      return decodeURIComponent(rest);
    case "data":
    case "binary":
      return Buffer.from(rest, "hex");
    case "timestamp":
      return new Date(Number(rest));
    case "ubyte":
      return new AmqpByte(Number(rest));
    case "int":
    case "uint":
      return Number(rest);
    default:
      throw new Error(`this client can't express ${type}`);
  }
}

function parseLine(line) {
  const message = { content: Buffer.alloc(0) };
  const part = (name) => (message[name] = message[name] || {});
  for (const field of line.split(" ")) {
    const equals = field.indexOf("=");
    const [section, key] = field.slice(0, equals).split("/");
    const v = value(field.slice(equals + 1));
    if (section === "body") message.content = v;
    else if (section === "property") part("messageProperties")[camel(key)] = v;
    else if (section === "application") part("applicationProperties")[decodeURIComponent(key)] = v;
    else if (section === "annotation") part("messageAnnotations")[decodeURIComponent(key)] = v;
    else throw new Error(`this client can't express ${section}`);
  }
  return message;
}

// JavaScript to manifest.
function text(v) {
  if (Buffer.isBuffer(v)) return "binary:" + v.toString("hex");
  if (v instanceof Date) return "timestamp:" + v.getTime();
  if (typeof v === "bigint") return "number:" + v;
  if (typeof v === "string") return "string:" + encodeURIComponent(v);
  return `${typeof v}:${v}`;
}

function formatMessage(message) {
  const fields = ["offset=number:" + message.offset];
  const add = (section, values, name) => {
    for (const [key, v] of Object.entries(values)) fields.push(`${section}/${name(key)}=${text(v)}`);
  };
  add("header", message.messageHeader, dashed);
  add("annotation", message.messageAnnotations, encodeURIComponent);
  add("property", message.messageProperties, dashed);
  add("application", message.applicationProperties, encodeURIComponent);
  // An empty body and none are the same to it.
  if (message.amqpValue !== "") fields.push("value=" + text(message.amqpValue));
  else fields.push("body=data:" + message.content.toString("hex"));
  return fields.join(" ");
}

// Resolves when so many confirms have come since the publisher was declared.
function confirmCounter(publisher) {
  let confirmed = 0;
  let reached = quiet;
  publisher.on("publish_confirm", (error, ids) => {
    if (error) throw new Error(`refused with code ${error}`);
    confirmed += ids.length;
    reached();
  });
  return (count) =>
    new Promise((resolve) => {
      reached = () => confirmed >= count && resolve();
      reached();
    });
}

// One frame a message: the client does not look at the size of what it puts together.
async function publishPlain(publisher, messages) {
  const confirmedUpTo = confirmCounter(publisher);
  for (const message of messages) {
    await publisher.send(message.content, message);
    await publisher.flush();
  }
  await confirmedUpTo(messages.length);
}

// Each sub-entry waits for the one before, as all of them carry one publishing id.
async function publishSubEntries(publisher, messages, compression) {
  const confirmedUpTo = confirmCounter(publisher);
  let sent = 0;
  while (messages.length > 0) {
    const count = sent === 0 ? 1 : SUB_ENTRY_MESSAGES;
    await publisher.sendSubEntries(messages.splice(0, count), compression);
    await confirmedUpTo(++sent);
  }
}

async function publish(uri, stream, form) {
  const lines = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);
  const messages = lines.map(parseLine);
  const client = await connect(uri);
  await client.createStream({ stream, arguments: {} });
  const publisher = await client.declarePublisher({ stream });
  if (form === "plain") await publishPlain(publisher, messages);
  else await publishSubEntries(publisher, messages, form === "gzip" ? CompressionType.Gzip : CompressionType.None);
  await client.close();
}

async function consume(uri, stream, count) {
  const client = await connect(uri);
  let left = Number(count);
  const offset = rabbit.Offset.first();
  await new Promise((resolve, reject) => {
    const onMessage = (message) => {
      if (left === 0) return;
      fs.writeFileSync(1, formatMessage(message) + "\n"); // all of it, before exit()
      if (--left === 0) resolve();
    };
    client.declareConsumer({ stream, offset }, onMessage).catch(reject);
  });
  await client.close();
}

// Where a new active one begins. The client calls this for the end of a turn as well, and does not tell which it is.
async function behindStored(client, reference, stream) {
  try {
    return rabbit.Offset.offset((await client.queryOffset({ reference, stream })) + 1n);
  } catch (error) {
    if (!/code 19\b/.test(error.message)) throw error; // that is: nothing is stored
    return rabbit.Offset.first();
  }
}

// One member of a group of single active consumers.
async function group(uri, stream, consumerRef, count, done, how) {
  const client = await connect(uri);
  const say = (line) => fs.writeFileSync(1, line + "\n");
  let read = 0;
  let last;
  let reached;
  const all = new Promise((resolve) => (reached = resolve));
  const onMessage = async (message) => {
    if (read === Number(count)) return;
    say(message.offset);
    if (++read === Number(done)) last = message.offset;
    if (read === Number(count)) reached();
  };
  const consumer = await client.declareConsumer(
    {
      stream,
      consumerRef,
      singleActive: true,
      offset: rabbit.Offset.first(),
      consumerUpdateListener: (reference, name) => behindStored(client, reference, name),
    },
    onMessage
  );
  say("joined");
  await all;
  await consumer.storeOffset(last); // all it read, unless it stays
  if (how === "stay") {
    say("stored " + (await consumer.queryOffset()));
    await new Promise(() => setInterval(quiet, 1e6)); // until it is killed
  }
  await client.closeConsumer(consumer.extendedId);
  await client.close();
}

// Each line is a message and its own key.
async function superPublish(uri, superStream) {
  const lines = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);
  const client = await connect(uri);
  const publisher = await client.declareSuperStreamPublisher({ superStream }, (content) => content);
  for (const line of lines) await publisher.send(Buffer.from(line));
  // Its front hands out neither these nor their confirms: what is stored is read by who compares.
  for (const one of publisher.publishers.values()) await one.flush();
  await client.close();
}

// One member of a group, until SIGTERM. A partition that it is given it reads from the first message on: its super
// consumers know no other way.
async function superGroup(uri, superStream, consumerRef) {
  const client = await connect(uri);
  const say = (line) => fs.writeFileSync(1, line + "\n");
  const onMessage = (message, consumer) =>
    say(`${process.hrtime.bigint()} ${consumer.streamName} ${message.offset} ${message.content}`);
  const consumer = await client.declareSuperStreamConsumer(
    { superStream, consumerRef, offset: rabbit.Offset.first() },
    onMessage
  );
  say("joined");
  await new Promise((resolve) => process.on("SIGTERM", resolve));
  await consumer.close();
  await client.close();
}

const [verb, ...rest] = process.argv.slice(2);
const run = { publish, consume, group, "super-publish": superPublish, "super-group": superGroup }[verb];
run(...rest).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  }
);

// Talks to a real broker about everything the protocol has, and writes what was said,
// both ways, as inputs of the fuzz targets: FOLDER/TARGET/... See test/fuzz/record.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gzip.h"
#include "recorder/talk.h"

using namespace rstream;
using namespace rstream::fuzz;
using fake::byte_vector;
using wire::key;

namespace {

std::string host;
std::string port;

void expect(uint16_t code, const char *what, wire::response wanted = wire::response::ok) {
  if (code == wire::raw(wanted)) return;
  fprintf(stderr, "recorder: %s: %s\n", what, wire::response_name(code));
  exit(1);
}

uint16_t log_in(talk &t, const char *password) {
  dial(t, host, port);
  const wire::property properties[] = {{"product", "rstream"}, {"platform", "C"}};
  ask(t, key::peer_properties, wire::peer_properties{.properties = {properties}});
  ask(t, key::sasl_handshake, wire::sasl_handshake{});
  std::string plain = std::string("\0guest\0", 7) + password;
  return ask(
      t, key::sasl_authenticate,
      wire::sasl_authenticate{
          .mechanism = "PLAIN",
          .data = {reinterpret_cast<const uint8_t *>(plain.data()), plain.size()}});
}

uint16_t open_vhost(talk &t, const char *vhost, uint32_t heartbeat_s) {
  await(t, wire::raw(key::tune));
  say(t, wire::tune_response{1u << 20, heartbeat_s});
  return ask(t, key::open, wire::open{.vhost = vhost});
}

void open(talk &t, uint16_t deliver_version, uint32_t heartbeat_s = 60) {
  expect(log_in(t, "guest"), "login");
  expect(open_vhost(t, "/", heartbeat_s), "Open");
  const wire::version_range ranges[] = {
      {wire::raw(key::deliver), 1, deliver_version},
      {wire::raw(key::consumer_update), 1, 1},
  };
  expect(ask(t, key::exchange_command_versions,
             wire::command_versions{.commands = {ranges}}),
         "ExchangeCommandVersions");
}

void close_in_order(talk &t) {
  ask(t, key::close, wire::close_request{.code = 1, .reason = "OK"});
  hang_up(t);
}

// ---- what is talked about

constexpr char stream[] = "recorded";
constexpr char super_stream[] = "recorded-super";
constexpr std::string_view partitions[] = {"recorded-super-a", "recorded-super-b"};

wire::bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

void publish(talk &t, uint8_t publisher, uint16_t version,
             std::initializer_list<wire::publish_entry> entries) {
  std::vector<wire::publish_entry> items = entries;
  wire::publish_entries all;
  all.items = items;
  all.version = version;
  say(t, wire::publish{publisher, version, all});
}

void publish_plain(talk &t) {
  expect(ask(t, key::declare_publisher,
             wire::declare_publisher{
                 .publisher_id = 0, .reference = "till", .stream = stream}),
         "DeclarePublisher");
  expect(ask(t, key::declare_publisher,
             wire::declare_publisher{.publisher_id = 1, .stream = "no such stream"}),
         "DeclarePublisher", wire::response::stream_does_not_exist);
  ask(t, key::query_publisher_sequence,
      wire::query_sequence{.reference = "till", .stream = stream});
  publish(t, 0, 1,
          {{.id = 1, .body = bytes_of("one")},
           {.id = 2, .body = bytes_of("")},
           {.id = 3, .body = bytes_of("three, which is longer than the others")}});
  await(t, wire::raw(key::publish_confirm));
  publish(t, 0, 1, {{.id = 3, .body = bytes_of("again")}});
  await(t, wire::raw(key::publish_confirm));
  publish(t, 9, 1, {{.id = 1, .body = bytes_of("nobody's")}});
  await(t, wire::raw(key::publish_error));
  ask(t, key::query_publisher_sequence,
      wire::query_sequence{.reference = "till", .stream = stream});
}

void publish_sub_entries(talk &t) {
  fake::chunk_parts inner;
  for (const char *body : {"a", "bb", "a message of a sub-entry", "a message of another"})
    fake::chunk_add(inner, body);
  byte_vector small = gzipped(inner.entries);
  auto plain_bytes = static_cast<uint32_t>(inner.entries.size());
  publish(t, 0, 1,
          {{.id = 10,
            .body = inner.entries,
            .is_sub_batch = true,
            .record_count = 4,
            .uncompressed_bytes = plain_bytes},
           {.id = 11, .body = bytes_of("between")},
           {.id = 12,
            .body = small,
            .is_sub_batch = true,
            .compression = 1,
            .record_count = 4,
            .uncompressed_bytes = plain_bytes}});
  await(t, wire::raw(key::publish_confirm));
  publish(t, 0, 2,
          {{.id = 20, .filter = "north", .body = bytes_of("filtered")},
           {.id = 21, .body = bytes_of("unfiltered")}});
  await(t, wire::raw(key::publish_confirm));
  expect(ask(t, key::delete_publisher, wire::delete_publisher{.publisher_id = 0}),
         "DeletePublisher");
}

void consume(talk &t) {
  const wire::property named[] = {{"name", "reader"}};
  expect(ask(t, key::subscribe,
             wire::subscribe{.subscription_id = 0,
                             .stream = stream,
                             .spec = wire::offset_first(),
                             .credit = 2,
                             .properties = {named}}),
         "Subscribe");
  await(t, wire::raw(key::deliver));
  say(t, wire::credit{0, 10});
  await(t, wire::raw(key::deliver));
  const wire::property filtered[] = {{"filter.0", "north"}, {"match-unfiltered", "true"}};
  ask(t, key::subscribe,
      wire::subscribe{.subscription_id = 1,
                      .stream = stream,
                      .spec = wire::offset_at(2),
                      .credit = 10,
                      .properties = {filtered}});
  await(t, wire::raw(key::deliver));
  ask(t, key::subscribe,
      wire::subscribe{.subscription_id = 1,
                      .stream = stream,
                      .spec = wire::offset_timestamp(0),
                      .credit = 1});
  say(t, wire::credit{77, 1});
  await(t, wire::response_key(key::credit));
  say(t, wire::store_offset{"reader", stream, 4});
  ask(t, key::query_offset, wire::query_offset{.reference = "reader", .stream = stream});
  ask(t, key::query_offset, wire::query_offset{.reference = "nobody", .stream = stream});
  ask(t, key::unsubscribe, wire::unsubscribe{.subscription_id = 0});
  ask(t, key::unsubscribe, wire::unsubscribe{.subscription_id = 55});
}

void answer_update(talk &t) {
  byte_vector frame = await(t, wire::raw(key::consumer_update));
  wire::consumer_update x;
  if (!fake::decoded(frame_of(frame), x)) fail("a malformed ConsumerUpdate");
  send_frame(t, fake::frame_of(wire::consumer_update_response{
                    .correlation_id = x.correlation_id,
                    .code = 1,
                    .spec = x.active ? wire::offset_at(1) : wire::offset_none()}));
}

// Two of a group: one is active, then the other.
void consume_alone(talk &t) {
  const wire::property single[] = {{"name", "group"}, {"single-active-consumer", "true"}};
  for (uint8_t id : {10, 11}) {
    expect(ask(t, key::subscribe,
               wire::subscribe{.subscription_id = id,
                               .stream = stream,
                               .spec = wire::offset_next(),
                               .credit = 10,
                               .properties = {single}}),
           "Subscribe");
    if (id == 10) answer_update(t);
  }
  ask(t, key::unsubscribe, wire::unsubscribe{.subscription_id = 10});
  answer_update(t);
  ask(t, key::unsubscribe, wire::unsubscribe{.subscription_id = 11});
}

void look_up(talk &t) {
  const std::string_view names[] = {stream, "no such stream"};
  ask(t, key::metadata, wire::metadata{.streams = {names}});
  ask(t, key::stream_stats, wire::stream_stats{.stream = stream});
  ask(t, key::stream_stats, wire::stream_stats{.stream = "no such stream"});
}

void create(talk &t) {
  const wire::property arguments[] = {{"max-length-bytes", "1000000"}};
  expect(ask(t, key::create, wire::create_stream{.stream = stream}), "Create");
  ask(t, key::create, wire::create_stream{.stream = stream, .arguments = {arguments}});
  ask(t, key::create, wire::create_stream{.stream = "bad\nname"});
}

void super_streams(talk &t) {
  const std::string_view keys[] = {"a", "b"};
  expect(
      ask(t, key::create_super_stream,
          wire::create_super_stream{
              .name = super_stream, .partitions = {partitions}, .binding_keys = {keys}}),
      "CreateSuperStream");
  ask(t, key::partitions, wire::partitions{.super_stream = super_stream});
  ask(t, key::partitions, wire::partitions{.super_stream = "no such stream"});
  ask(t, key::route, wire::route{.routing_key = "b", .super_stream = super_stream});
  ask(t, key::route, wire::route{.routing_key = "z", .super_stream = super_stream});
  ask(t, key::metadata, wire::metadata{.streams = {partitions}});
  expect(ask(t, key::subscribe,
             wire::subscribe{.subscription_id = 30,
                             .stream = partitions[0],
                             .spec = wire::offset_last(),
                             .credit = 1}),
         "Subscribe");
  say(t, wire::delete_super_stream{.name = super_stream});
  await(t, wire::raw(key::metadata_update));
}

void resolve(talk &t) {
  ask(t, key::resolve_offset_spec,
      wire::resolve_offset{.stream = stream, .spec = wire::offset_first()});
  ask(t, key::resolve_offset_spec,
      wire::resolve_offset{.stream = "no such stream", .spec = wire::offset_last()});
}

void remove_stream(talk &t) {
  expect(ask(t, key::declare_publisher,
             wire::declare_publisher{.publisher_id = 2, .stream = stream}),
         "DeclarePublisher");
  say(t, wire::delete_stream{.stream = stream});
  await(t, wire::raw(key::metadata_update));
  ask(t, key::delete_stream, wire::delete_stream{.stream = stream});
}

// ---- connections

void record_everything(uint16_t deliver_version) {
  talk t;
  open(t, deliver_version);
  look_up(t);
  keep_handshake(t.answers);
  create(t);
  look_up(t);
  publish_plain(t);
  publish_sub_entries(t);
  consume(t);
  consume_alone(t);
  look_up(t);
  if (deliver_version == 2) {
    super_streams(t);
    resolve(t);
  }
  remove_stream(t);
  close_in_order(t);
}

void record_refusals() {
  talk wrong_password;
  expect(log_in(wrong_password, "wrong"), "login",
         wire::response::authentication_failure);
  keep_handshake(wrong_password.answers);
  hang_up(wrong_password);
  talk wrong_vhost;
  expect(log_in(wrong_vhost, "guest"), "login");
  open_vhost(wrong_vhost, "nowhere", 60);
  keep_handshake(wrong_vhost.answers);
  hang_up(wrong_vhost);
}

// The broker's own Close, and its heartbeats.
void record_unasked() {
  talk t;
  open(t, 2, 1);
  await(t, wire::raw(key::heartbeat));
  send_frame(t, fake::raw_frame(99, 1, {}));
  await(t, wire::raw(key::close));
  send_frame(t, fake::frame_of(wire::close_response{1, 1}));
  hang_up(t);
}

void take_uri(std::string uri) {
  uri.resize(std::min(uri.find(','), uri.size()));
  for (const char *text :
       {uri.c_str(), "rabbitmq-stream://host",
        "rabbitmq-stream+tls://u%40:p@[::1]:5551/v%2f", "rabbitmq-stream://:@:/",
        "rabbitmq-stream://u:p@host:5552/"}) {
    write_input("uri", {text, text + strlen(text)});
  }
  size_t begin = uri.find('@') + 1;
  std::string authority = uri.substr(begin, uri.find('/', begin) - begin);
  host = authority.substr(0, authority.rfind(':'));
  port = authority.substr(authority.rfind(':') + 1);
}

}  // namespace

int main(int argc, char **argv) {
  const char *uri = getenv("RSTREAM_BROKER_URI");
  if (argc != 2 || !uri) {
    fprintf(stderr, "usage: RSTREAM_BROKER_URI=... %s FOLDER\n", argv[0]);
    return 2;
  }
  recordings = argv[1];
  take_uri(uri);
  record_everything(2);
  record_everything(1);
  record_refusals();
  record_unasked();
  return 0;
}

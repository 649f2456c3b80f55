// Super streams: publishing by hash, reading all partitions, and a member of a group.
#include <csignal>
#include <cstdio>
#include <ctime>
#include <deque>
#include <iostream>
#include <string>

#include "session.h"

namespace interop {

namespace {

volatile sig_atomic_t told_to_leave;

struct result {
  bool told = false;
  int status = 0;
};

void on_result(rstream_env *, int status, const char *, void *user) {
  *static_cast<result *>(user) = {true, status};
}

// Keys of messages that are to be sent, and what became of the others.
struct super_publisher {
  rstream_super_producer *producer = nullptr;
  std::deque<std::string> keys;
  size_t confirmed = 0;
  size_t count = 0;

  void send() {
    while (!keys.empty()) {
      const std::string &key = keys.front();
      int rc = rstream_super_producer_send_bytes(producer, key.data(), key.size(),
                                                 key.data(), key.size(), nullptr);
      if (rc == RSTREAM_EAGAIN) return;
      check(rc, "sending");
      keys.pop_front();
    }
  }
};

void on_super_confirm(rstream_super_producer *, const rstream_super_confirms *confirms,
                      void *user) {
  check(confirms->status, "publishing");
  static_cast<super_publisher *>(user)->confirmed += confirms->count;
}

void on_super_writable(rstream_super_producer *, void *user) {
  static_cast<super_publisher *>(user)->send();
}

void print_body(const rstream_message_view *message) {
  fwrite(message->body, 1, message->body_size, stdout);
  putchar('\n');
}

void on_read(rstream_consumer *consumer, const rstream_message_view *message,
             void *user) {
  auto *left = static_cast<size_t *>(user);
  if (*left == 0) return;
  printf("%s ", rstream_consumer_stream(consumer));
  print_body(message);
  --*left;
}

// Of the clock that all processes of the machine share.
long long now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void on_member_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *) {
  printf("%lld %s %llu ", now_ns(), rstream_consumer_stream(consumer),
         static_cast<unsigned long long>(message->offset));
  print_body(message);
  fflush(stdout);
}

void on_member_state(rstream_super_consumer *, const rstream_state *state, void *) {
  if (state->state == RSTREAM_STATE_CLOSED) fail("super consumer", state->text);
  puts("joined");
  fflush(stdout);
}

rstream_super_consumer *open_consumer(rstream_env *env, const char *name,
                                      const rstream_consumer_options &of_partitions,
                                      rstream_super_consumer_state_cb on_state) {
  rstream_super_consumer_options options;
  rstream_super_consumer_options_init(&options);
  options.super_stream = name;
  options.consumer = &of_partitions;
  options.on_state = on_state;
  rstream_super_consumer *consumer = nullptr;
  check(rstream_super_consumer_open(&consumer, env, &options), "opening the consumer");
  return consumer;
}

}  // namespace

void create_super(const char *uri, const char *name, uint32_t partitions) {
  result r;
  rstream_env *env = session_open(uri);
  rstream_super_stream_options options;
  rstream_super_stream_options_init(&options);
  options.partitions = partitions;
  check(rstream_super_stream_create(env, name, &options, on_result, &r), "creating");
  run_until(env, [&] { return r.told; });
  check(r.status, "creating the super stream");
  session_close(env);
}

void delete_super(const char *uri, const char *name) {
  result r;
  rstream_env *env = session_open(uri);
  check(rstream_super_stream_delete(env, name, on_result, &r), "deleting");
  run_until(env, [&] { return r.told; });
  check(r.status, "deleting the super stream");
  session_close(env);
}

void publish_super(const char *uri, const char *name) {
  super_publisher p;
  for (std::string key; std::getline(std::cin, key);) p.keys.push_back(key);
  p.count = p.keys.size();
  rstream_env *env = session_open(uri);
  rstream_producer_options of_partitions;
  rstream_producer_options_init(&of_partitions);
  of_partitions.codec = RSTREAM_CODEC_AMQP;
  rstream_super_producer_options options;
  rstream_super_producer_options_init(&options);
  options.super_stream = name;
  options.producer = &of_partitions;
  options.on_confirm = on_super_confirm;
  options.on_writable = on_super_writable;
  options.user = &p;
  check(rstream_super_producer_open(&p.producer, env, &options), "opening the producer");
  p.send();
  run_until(env, [&] { return p.confirmed == p.count; });
  session_close(env);
}

void read_super(const char *uri, const char *name, size_t count) {
  size_t left = count;
  rstream_env *env = session_open(uri);
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.codec = RSTREAM_CODEC_AMQP;
  options.offset_type = RSTREAM_OFFSET_FIRST;
  options.on_message = on_read;
  options.user = &left;
  open_consumer(env, name, options, nullptr);
  run_until(env, [&] { return left == 0; });
  session_close(env);
}

void join_super(const char *uri, const char *name, const char *group) {
  signal(SIGTERM, [](int) { told_to_leave = 1; });
  rstream_env *env = session_open(uri);
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.name = group;
  options.single_active = 1;
  options.codec = RSTREAM_CODEC_AMQP;
  options.offset_type = RSTREAM_OFFSET_FIRST;
  options.on_message = on_member_message;
  open_consumer(env, name, options, on_member_state);
  // A signal does not wake the loop.
  while (!told_to_leave) check(rstream_env_run(env, 20), "running");
  session_close(env);
}

}  // namespace interop
